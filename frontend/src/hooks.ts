// What pages use of the frame, in one place to import from.
export { useData, useReread, type Loaded } from "./api/reads";
export { useKeys } from "./shell/keys";
export { attempt, dismiss, tell, useMessages } from "./shell/messages";
export { usePersisted } from "./shell/persisted";
export { go, link, useRoute } from "./shell/route";
