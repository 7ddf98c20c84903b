// Rules that find mistakes, those of hooks above all; how code is laid out is prettier's.
import hooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

const MOST_LINES = 150; // of a component's function

export default tseslint.config(
  { ignores: ["node_modules/", "src/api/schema.ts", "tests/"] },
  ...tseslint.configs.recommended,
  {
    files: ["src/**/*.{ts,tsx}"],
    plugins: { "react-hooks": hooks },
    rules: {
      "react-hooks/rules-of-hooks": "error",
      "react-hooks/exhaustive-deps": "error",
      "max-lines-per-function": ["error", { max: MOST_LINES, skipBlankLines: true }],
      "@typescript-eslint/no-non-null-assertion": "off",
    },
  },
);
