// Package cookbook has the functions that docs/cookbook.md shows.
package cookbook
