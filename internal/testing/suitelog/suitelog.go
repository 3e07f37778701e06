// Package suitelog defines lines of a log. In them, package storagetest logs the results of the
// conformance suite, and package recorded logs the results of recordings. Program suiteresults
// reads these lines.
package suitelog

// Mark is the text in front of each result. The result follows on the same line, as JSON.
const Mark = "result of the suite: "
