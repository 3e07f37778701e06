// Package suitelog defines the lines in which package storagetest logs the results of the
// conformance suite. Program suiteresults reads these lines.
package suitelog

// Mark is the text in front of each result. The result follows on the same line, as JSON.
const Mark = "result of the suite: "

// FileMark is the text in front of each file of another result. The name of the file and its content as JSON follow on
// the same line.
const FileMark = "file of a result: "
