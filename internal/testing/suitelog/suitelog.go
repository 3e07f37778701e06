// Package suitelog defines the lines in which package storagetest logs the results of the
// conformance suite, and package recorded those of recordings. Program suiteresults reads these
// lines.
package suitelog

// Mark is the text in front of each result. The result follows on the same line, as JSON.
const Mark = "result of the suite: "
