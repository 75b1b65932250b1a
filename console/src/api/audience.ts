/** The audience of the page: administrators, or one person with the own reports only. Each has its own page. */

export const isOfPerson = document.querySelector('meta[name="audience"]')?.getAttribute("content") === "person";
