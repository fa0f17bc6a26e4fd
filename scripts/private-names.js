/**
 * Turns `#name` in classes into ordinary names of properties, for the built command only. Until V8 has made its last and best code of a function, which
 * takes thousands of calls, each assignment to a private field is a call of a builtin, and each private getter one of the runtime. With ten people on a board most of
 * the code never gets that far, and an instance took 6 % more CPU. The sources keep `#name`, so types and tests still see to it that nobody reaches in from outside.
 */

import { parseAst } from "rolldown/parseAst";

/**
 * @typedef {{ readonly type: string, readonly start: number, readonly end: number, readonly [key: string]: unknown }} Node
 * @typedef {{ readonly start: number, readonly end: number, readonly text: string }} Edit
 */

/** `code`: JavaScript. Each class has names of its own, as a class and the one that it extends may both have a `#name`. @param {string} code */
export function withoutPrivateNames(code) {
  /** @type {Edit[]} */
  const edits = [];
  let classes = 0;
  /** @param {Node} node @param {readonly ReadonlyMap<string, string>[]} scopes the innermost class first @param {Node | undefined} parent */
  const visit = (node, scopes, parent) => {
    let inner = scopes;
    if (node.type === "ClassBody") inner = [namesOf(node, classes++), ...scopes];
    if (node.type === "PrivateIdentifier") {
      const { name } = /** @type {Node & { name: string }} */ (node);
      const text = scopes.find((scope) => scope.has(name))?.get(name) ?? name;
      // In `#name in object` it is no property.
      edits.push({ start: node.start, end: node.end, text: parent?.type === "BinaryExpression" ? JSON.stringify(text) : text });
    }
    for (const child of Object.values(node)) {
      for (const each of Array.isArray(child) ? child : [child]) if (isNode(each)) visit(each, inner, node);
    }
  };
  visit(/** @type {Node} */ (/** @type {unknown} */ (parseAst(code))), [], undefined);
  let result = "";
  let at = 0;
  for (const { start, end, text } of edits.sort((a, b) => a.start - b.start)) {
    result += code.slice(at, start) + text;
    at = end;
  }
  return result + code.slice(at);
}

/** @param {Node} body @param {number} nth @returns {ReadonlyMap<string, string>} */
function namesOf(body, nth) {
  const members = /** @type {{ key?: { type: string, name: string } }[]} */ (body["body"]);
  const names = members.flatMap(({ key }) => (key?.type === "PrivateIdentifier" ? [key.name] : []));
  return new Map(names.map((name) => [name, `_${name}$${nth}`]));
}

/** @param {unknown} value @returns {value is Node} */
function isNode(value) {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}
