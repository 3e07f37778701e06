// Package databases tries package sqlrecords, and a files.Store with records of it,
// on real databases. It is a Go module of its own and ships nothing, so that the
// versions of the database drivers that it needs reach no program.
package databases
