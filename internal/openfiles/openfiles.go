// Package openfiles tells how many files this process may open.
package openfiles
