// Package src is checked by a test. See [Missing], [Kept.Gone], [fs.FS] and
// [Kept.Name].
package src

import "errors"

// Kept has a sentence that is much too long to be read once, because it continues and
// continues with one clause after the other, each of which could have been a short
// sentence of its own that a reader understands. It also cites rule W99 and W5.
//
//	behind the end // code is not checked
type Kept struct {
	Name string // where nothing is
}

//go:generate echo shall

var errEnd = errors.New("the offset lies behind the end") // W98, V4 and S3

// What others have is left as it is. What is a road?
func others() {}
