"""The REST/websocket server of the browser application, thin over project/ and scheduler/."""
