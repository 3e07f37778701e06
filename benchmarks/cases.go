package main

import "slices"

// cases are all that there are; keys is how many the listings are over.
func cases(keys int) []benchCase {
	return slices.Concat(memoryCases(keys), layerCases(), localCases(keys), concurrentCases(), serveCases(), []benchCase{signCase()}, s3Cases(), gcsCases(), azureCases(), transferJobCases(), throttledJobCases())
}

func s3Cases() []benchCase {
	return slices.Concat(smallCases(), inProcesses(transferCases()), listCases(), signCases())
}

func gcsCases() []benchCase {
	return slices.Concat(gcsSmallCases(), inProcesses(gcsTransferCases()), []benchCase{gcsUploadsCase(), gcsListCase(), gcsSignCase()})
}

func azureCases() []benchCase {
	return slices.Concat(azureSmallCases(), inProcesses(azureTransferCases()), []benchCase{azureListCase(), azureSignCase()})
}
