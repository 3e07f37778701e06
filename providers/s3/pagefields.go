package s3

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	smithytime "github.com/aws/smithy-go/time"

	"github.com/omnibucket/storage"
)

const (
	// textBlock is how much text of a page shares one allocation. An entry that
	// somebody keeps keeps its block, not the text of a whole page.
	textBlock = 4 << 10

	// maxPageEntries bounds the memory of what is read of an answer; 1,000 are
	// asked for at most.
	maxPageEntries = 1 << 16
)

var (
	errNoListing  = errors.New("the answer is no listing")
	errNoEscaping = &storage.Error{Code: storage.Internal, Err: errors.New("a key in the listing is not escaped as it says")}
	errGoesOn     = &storage.Error{Code: storage.Internal, Err: errors.New("the listing goes on, and the answer does not say where")}
)

// pageFields reads what all listings of S3 have in common. An element that is
// there twice counts as it is the last time, as in the SDK.
type pageFields struct {
	xmlReader
	block     strings.Builder // the texts so far, and room for more
	escaped   bool            // the answer says that its keys are: a server need not heed what it was asked
	truncated flag
}

// A flag is a boolean that may be left out.
type flag int

const (
	unsaid flag = iota
	no
	yes
)

// each calls f with each element below the root, which it has to close.
func (p *pageFields) each(f func(name []byte) error) error {
	root, err := p.root()
	if err != nil {
		return err
	}
	if len(root) < len("List") || !is(root[:len("List")], "List") { // servers differ in the rest
		return errNoListing
	}
	return p.children(f)
}

// children is each for the innermost open element, which it closes.
func (p *pageFields) children(f func(name []byte) error) error {
	for {
		name, err := p.child()
		if err != nil || name == nil {
			return err
		}
		if err := f(name); err != nil {
			return err
		}
	}
}

// is reports whether this is the element, in any case, as in the SDK.
func is(name []byte, element string) bool {
	return len(name) == len(element) && (string(name) == element || strings.EqualFold(string(name), element))
}

// common reads an element below the root that is not of one entry.
func (p *pageFields) common(name []byte) (err error) {
	switch {
	case is(name, "EncodingType"):
		var value []byte
		if value, err = p.value(); err == nil {
			p.escaped = string(trimSpace(value)) == "url"
		}
	case is(name, "IsTruncated"):
		p.truncated, err = p.flag()
	default:
		err = p.skip()
	}
	return err
}

// field reads an element of an entry. The key stays as it is written until the
// whole page has told how that is.
func (p *pageFields) field(e *storage.ListEntry, name []byte) (err error) {
	switch {
	case is(name, "Key"):
		e.Key, err = p.string()
	case is(name, "Size"):
		e.Size, err = p.size()
	case is(name, "ETag"):
		if e.ETag, err = p.string(); err == nil {
			e.ETag = quoted(&e.ETag)
			e.Revision = e.ETag
		}
	case is(name, "LastModified"):
		e.Modified, err = p.time()
	default:
		err = p.skip()
	}
	return err
}

func (p *pageFields) string() (string, error) {
	value, err := p.value()
	return p.keep(value), err
}

// keep makes a string of text, in one allocation with others.
func (p *pageFields) keep(text []byte) string {
	if p.block.Cap()-p.block.Len() < len(text) {
		// About a third of a page is text that is kept.
		p.block = strings.Builder{}
		p.block.Grow(max(len(text), min(textBlock, len(p.doc)/3)))
	}
	start := p.block.Len()
	p.block.Write(text)
	return p.block.String()[start:]
}

// key is one as it is meant.
func (p *pageFields) key(written string) (string, error) {
	if !p.escaped || strings.IndexByte(written, '%') < 0 && strings.IndexByte(written, '+') < 0 {
		return written, nil
	}
	plain := p.spare[:0]
	for i := 0; i < len(written); i++ {
		switch c := written[i]; {
		case c == '+':
			plain = append(plain, ' ')
		case c != '%':
			plain = append(plain, c)
		case i+2 < len(written) && hexDigit(written[i+1]) >= 0 && hexDigit(written[i+2]) >= 0:
			plain = append(plain, byte(hexDigit(written[i+1])<<4|hexDigit(written[i+2])))
			i += 2
		default:
			return "", errNoEscaping
		}
	}
	p.spare = plain
	return p.keep(plain), nil
}

func (p *pageFields) size() (int64, error) {
	value, err := p.value()
	if err != nil {
		return 0, err
	}
	size, err := strconv.ParseInt(string(trimSpace(value)), 10, 64)
	if err != nil || size < 0 {
		return 0, p.unreadable("size")
	}
	return size, nil
}

func (p *pageFields) time() (time.Time, error) {
	value, err := p.value()
	if err != nil {
		return time.Time{}, err
	}
	var at time.Time
	value = trimSpace(value)
	if err := at.UnmarshalText(value); err != nil {
		if at, err = smithytime.ParseDateTime(string(value)); err != nil { // without a zone
			return time.Time{}, p.unreadable("time")
		}
	}
	return modified(&at), nil
}

func (p *pageFields) flag() (flag, error) {
	value, err := p.value()
	if err != nil {
		return unsaid, err
	}
	switch set, err := strconv.ParseBool(string(trimSpace(value))); {
	case err != nil:
		return unsaid, p.unreadable("flag")
	case set:
		return yes, nil
	}
	return no, nil
}

func (p *pageFields) unreadable(what string) error {
	return fmt.Errorf("the page has a %s that is none, before byte %d", what, p.pos)
}

// goesOn reports whether another page follows, which next is the name of. One
// that is named follows, but where the answer says that none does.
func (p *pageFields) goesOn(next string) (bool, error) {
	if p.truncated == yes && next == "" {
		return false, errGoesOn
	}
	return p.truncated != no && next != "", nil
}
