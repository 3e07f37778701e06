// Package suitelog says how package storagetest logs its results, for suiteresults.
package suitelog

// Mark precedes each result, which is JSON in one line.
const Mark = "result of the suite: "
