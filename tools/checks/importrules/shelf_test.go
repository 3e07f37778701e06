package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// internalPaths returns the import paths of n packages of internal.
func internalPaths(n int) (paths []string) {
	for i := range n {
		paths = append(paths, fmt.Sprintf("%s/internal/subject%d", module, i))
	}
	return paths
}

func TestAPartImportsFewPackagesOfInternal(t *testing.T) {
	paths := internalPaths(maxShared + 1)

	require.Empty(t, checkInternal([]pkg{{ImportPath: module + "/serve", Imports: paths[:maxShared]}}))
	require.Empty(t, checkInternal([]pkg{{ImportPath: module + "/engine", Imports: paths}}), "the engine is no such part")
	require.Empty(t, checkInternal([]pkg{{ImportPath: module + "/cmd/certify", Imports: paths}}), "it only tests")

	broken := checkInternal([]pkg{
		{ImportPath: module + "/transfer", Imports: paths[:maxShared]},
		{ImportPath: module + "/layers/mirror", Imports: paths[maxShared:]},
	})
	require.Len(t, broken, 1)
	require.Contains(t, broken[0], "transfer imports 16 packages of internal")
}

func TestInternalHasFewFolders(t *testing.T) {
	var packages []pkg
	for _, path := range internalPaths(maxInternal) {
		packages = append(packages, pkg{ImportPath: path}, pkg{ImportPath: path + "/room"})
	}
	require.Empty(t, checkInternal(packages))

	packages = append(packages, pkg{ImportPath: module + "/internal/another"})
	require.Equal(t, []string{"internal has 31 folders: it may have 30"}, checkInternal(packages))
}
