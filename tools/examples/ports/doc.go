// Package ports has backup programs over any bucket: a backend of restic and a storage of kopia, each in a file of
// testdata, because they compile only in the modules of these programs. The tests there, which restic and
// kopia have for their own stores, judge them in memory, in a directory and on MinIO:
//
//	make adapters
package ports
