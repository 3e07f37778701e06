package engine

import (
	"errors"
	"fmt"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// maxEmptyPages is how many pages in a row may add nothing to a listing, if the driver does not
// declare more.
const maxEmptyPages = 100

// A pageProgress checks that the pages of a listing come to an end, whatever a server sends.
type pageProgress struct {
	last  string // the last entry of the last page that had any
	empty int    // pages since then
	pages int    // so far
	mark  string // token of a page so far, a later one as the pages double
}

var errRepeats = &storage.Error{Code: storage.Unavailable, Retryable: true, Err: errors.New("the provider repeated a page of the listing")}

// check takes the tokens of a page and of the next one, and what identifies the last entry of
// the page; "" if it has none.
func (p *pageProgress) check(desc *driver.Description, token, next, last string) *storage.Error {
	switch {
	case next == "":
		*p = pageProgress{}
		return nil
	case next == token, next == p.mark:
		return errRepeats
	}
	if p.pages++; p.pages&(p.pages-1) == 0 {
		p.mark = next
	}
	if last != "" && last != p.last {
		p.last, p.empty = last, 0
		return nil
	}
	most := desc.MaxEmptyPages
	if most == 0 {
		most = maxEmptyPages
	}
	if p.empty++; p.empty < most {
		return nil
	}
	return &storage.Error{Code: storage.Unavailable, Err: fmt.Errorf("the listing has brought %d pages without a new entry, and names another page", most)}
}
