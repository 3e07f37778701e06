package main

import "slices"

// cases are all that there are; keys is how many the listings are over.
func cases(keys int) []benchCase {
	return slices.Concat(memoryCases(keys), layerCases(), localCases(keys), concurrentCases(), s3Cases())
}

func s3Cases() []benchCase {
	return slices.Concat(smallCases(), inProcesses(transferCases()), listCases(), signCases())
}
