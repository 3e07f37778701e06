package main

import "slices"

// cases returns all cases. Listings of memory and local have that many keys.
func cases(keys int) []benchCase {
	all := slices.Concat(memoryCases(keys), layerCases(), localCases(keys), serveCases(), adapterCases(), growthCases(keys))
	for _, c := range clientCases() {
		all = append(all, c.benchCase())
	}
	return slices.Concat(all, tailCases(), transferJobCases(), commandLineCases(), throttledJobCases(), s3ServerCases())
}
