// Package databases tests package sqlrecords, and an uploads.Service with records of it,
// with real databases. It is a Go module of its own and ships nothing, so that no
// program inherits its versions of database drivers.
package databases
