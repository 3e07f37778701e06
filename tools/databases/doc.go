// Package databases tests package sqlrecords with real databases. It also tests an uploads.Service
// whose records are in such a database. The tests are in a module that is not published, so that no
// program depends on the database drivers.
package databases
