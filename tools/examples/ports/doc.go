// Package ports makes two backup programs work with any bucket: it has a backend for restic and a
// storage for kopia. Both are files in testdata, because each compiles only in the module of its
// program. restic and kopia have tests for their own stores. These tests run with a bucket in
// memory, in a directory and on MinIO:
//
//	make adapters
package ports
