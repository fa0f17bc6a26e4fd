/**
 * How a core is written down, and brought back so that it does the same as before. Each class passes everything in it that changes through
 * `keep`, in one order: to write, `keep` notes the value; to load, it answers the one that was noted there. The rest of a class is made by
 * its constructor. A checkpoint is of one version of this code: whoever adds a field adds it there, and the checkpoint test sees to it.
 */

/** Answers the value that the field has from now on. */
export type Keep = <T>(value: T) => T;

export type Kept = { checkpoint(keep: Keep): void };

/**
 * All values of that part, in order. They are not copies, so write them down before the part changes. Write them as one structured clone: it
 * keeps Maps, Sets, `undefined` and Infinity, and an object that occurs twice stays one object.
 */
export function written(part: Kept): unknown[] {
  const values: unknown[] = [];
  part.checkpoint((value) => {
    values.push(value);
    return value;
  });
  return values;
}

/** Makes a new part what the written one was. The part keeps the values: they must be nobody else's. Throws if they are of another part. */
export function restore(part: Kept, values: readonly unknown[]): void {
  let next = 0;
  part.checkpoint(<T>() => values[next++] as T);
  if (next !== values.length) throw new Error(`a checkpoint of ${values.length} values, and ${next} are needed: it is of another version`);
}

/** The parts in a map. `make` makes one that `checkpoint` fills. */
export function keepEach<K, V extends Kept>(keep: Keep, parts: Map<K, V>, make: (key: K) => V): void {
  for (const key of keep([...parts.keys()])) {
    const part = parts.get(key) ?? make(key);
    parts.set(key, part);
    part.checkpoint(keep);
  }
}
