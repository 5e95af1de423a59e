/**
 * Latest answers in components.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { Latest, NOTHING_LOADED, type Load, type Loaded } from "./latest.js";
import { RETRY } from "./retry.js";

/** The answer to what is asked with this key, or the last one until that comes. An empty key asks nothing. */
export function useLatest<Answer>(key: string, load: Load<Answer>): Loaded<Answer> {
  const [loaded, setLoaded] = useState<Loaded<Answer>>(NOTHING_LOADED);
  const latest = useRef<Latest<Answer> | undefined>(undefined);
  useEffect(() => {
    latest.current = new Latest(setLoaded, RETRY);
    return () => {
      latest.current?.end();
    };
  }, []);
  useEffect(() => {
    if (key !== "") latest.current?.want(key, load);
    // What is loaded follows from the key.
  }, [key]);
  return loaded;
}
