// A panel that fails says so in its own place; the rest of the page goes on.
import { Component, type ReactNode } from "react";

interface Props {
  what: string;
  children: ReactNode;
}

export class Boundary extends Component<Props, { error: Error | null }> {
  state = { error: null as Error | null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  componentDidCatch(error: Error) {
    console.error(`${this.props.what}:`, error);
  }

  render() {
    if (!this.state.error) return this.props.children;
    return (
      <div className="note-box bad" role="alert">
        <b>{this.props.what} cannot be shown.</b> {this.state.error.message}{" "}
        <button onClick={() => this.setState({ error: null })}>Try again</button>
      </div>
    );
  }
}
