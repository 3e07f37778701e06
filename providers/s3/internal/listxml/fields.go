package listxml

import (
	"errors"
	"strconv"
	"strings"
	"time"

	smithytime "github.com/aws/smithy-go/time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// textBlock is the size in bytes of one allocation for the texts of a page. Several entries share
// an allocation. A caller that keeps one entry keeps only this allocation in memory, not the whole
// page.
const textBlock = 4 << 10

var (
	errNoListing  = errors.New("the response is not a listing")
	errNotEscaped = &storage.Error{
		Code: storage.Internal,
		Err:  errors.New("a key in the listing is not escaped as the listing says"),
	}
	errEscaped = &storage.Error{
		Code: storage.Internal,
		Err:  errors.New("the server escapes names in the listing, and the listing does not say so"),
		Hint: "use another server, or keys without spaces, percent signs and letters outside of ASCII",
	}
	errNoToken = &storage.Error{
		Code: storage.Internal,
		Err:  errors.New("the listing is truncated, and the response does not name the next page"),
	}
)

// fields has the elements that all listings of S3 share. If an element occurs twice, the last
// one counts, as in the SDK.
type fields struct {
	xml         reader
	block       strings.Builder // texts that were kept, and free space for further texts
	isEscaped   bool            // true if the response says that its keys are escaped
	prefix      string          // prefix that the response names
	isTruncated flag
}

// A flag is a boolean that may be missing.
type flag int

const (
	unset flag = iota
	no
	yes
)

// eachElement calls f for each element below the root of a listing, with the name of the element, which f
// must read to its end.
func (p *fields) eachElement(f func(name []byte) error) error {
	root, err := p.xml.openRoot()
	if err != nil {
		return err
	}

	// Servers differ in the rest of the name.
	if len(root) < len("List") || !sameName(root[:len("List")], "List") {
		return errNoListing
	}
	return p.eachChild(f)
}

// eachChild calls f for each element in the innermost open element, with the name of the element, which f
// must read to its end. Then the innermost element is closed.
func (p *fields) eachChild(f func(name []byte) error) error {
	for {
		name, err := p.xml.openChild() // nil after the last element
		if err != nil || name == nil {
			return err
		}
		if err := f(name); err != nil {
			return err
		}
	}
}

// sameName reports whether two names of elements are equal. Upper and lower case are equal, as
// in the SDK.
func sameName(name []byte, element string) bool {
	return len(name) == len(element) && (string(name) == element || strings.EqualFold(string(name), element))
}

// readPageField reads an element that describes the whole page.
func (p *fields) readPageField(name []byte) (err error) {
	switch {
	case sameName(name, "EncodingType"):
		var value []byte
		value, err = p.xml.readValue()
		p.isEscaped = string(trimSpace(value)) == "url"
	case sameName(name, "IsTruncated"):
		p.isTruncated, err = p.readFlag()
	case sameName(name, "Prefix"):
		p.prefix, err = p.readString()
	default:
		err = p.xml.skipElement()
	}
	return err
}

// readEntryField reads the element name of an object in a listing into the entry e. It does not
// unescape the key, because the page may only say later that keys are escaped.
func (p *fields) readEntryField(e *storage.ListEntry, name []byte) (err error) {
	switch {
	case sameName(name, "Key"):
		e.Key, err = p.readString()
	case sameName(name, "Size"):
		e.Size, err = p.readSize()
	case sameName(name, "ETag"):
		e.ETag, err = p.readString()
		e.ETag = httpheader.ETag(e.ETag)
		e.Revision = e.ETag
	case sameName(name, "LastModified"):
		e.Modified, err = p.readTime()
	case sameName(name, "StorageClass"):
		var class []byte
		class, err = p.xml.readValue()
		// The usual class is the same as none.
		if string(class) == httpheader.StandardClass {
			class = nil
		}
		e.StorageClass = p.copyString(class)
	default:
		err = p.xml.skipElement()
	}
	return err
}

func (p *fields) readString() (string, error) {
	value, err := p.xml.readValue()
	return p.copyString(value), err
}

// copyString returns a copy of text as a string. Several such strings share one allocation.
func (p *fields) copyString(text []byte) string {
	if p.block.Cap()-p.block.Len() < len(text) {
		// About a third of a page is text that callers keep.
		p.block = strings.Builder{}
		p.block.Grow(max(len(text), min(textBlock, len(p.xml.doc)/3)))
	}

	start := p.block.Len()
	p.block.Write(text)
	return p.block.String()[start:]
}

// checkPrefix fails if the prefix in the response shows that its names are escaped, although it
// does not say so. requested is the prefix of the request. If common prefixes stayed escaped, their
// listings would be empty, and their objects would seem to be missing.
func (p *fields) checkPrefix(requested string) error {
	if p.isEscaped || p.prefix == requested {
		return nil
	}
	text, err := p.decodeKey(p.prefix)
	if err == nil && text == requested {
		return errEscaped
	}
	// Any other prefix is accepted, because servers differ in what they return.
	return nil
}

// unescape removes the escaping from a key, if the page says that its keys are escaped.
func (p *fields) unescape(key string) (string, error) {
	if !p.isEscaped {
		return key, nil
	}
	return p.decodeKey(key)
}

// decodeKey returns a key without its escaping.
func (p *fields) decodeKey(key string) (string, error) {
	if strings.IndexByte(key, '%') < 0 && strings.IndexByte(key, '+') < 0 {
		return key, nil
	}
	data := p.xml.scratch[:0]
	for i := 0; i < len(key); i++ {
		c := key[i]
		switch {
		case c == '+':
			data = append(data, ' ')
		case c != '%':
			data = append(data, c)
		case i+2 < len(key) && hexDigit(key[i+1]) >= 0 && hexDigit(key[i+2]) >= 0:
			data = append(data, byte(hexDigit(key[i+1])<<4|hexDigit(key[i+2])))
			i += 2
		default:
			return "", errNotEscaped
		}
	}
	p.xml.scratch = data
	return p.copyString(data), nil
}

// readSize reads the size of an object.
func (p *fields) readSize() (int64, error) {
	value, err := p.xml.readValue()
	if err != nil {
		return 0, err
	}
	size, err := strconv.ParseInt(string(trimSpace(value)), 10, 64)
	if err != nil || size < 0 {
		return 0, p.invalid("size")
	}
	return size, nil
}

// readTime reads a time and returns it in whole seconds, like the time in a header.
func (p *fields) readTime() (time.Time, error) {
	value, err := p.xml.readValue()
	if err != nil {
		return time.Time{}, err
	}

	var t time.Time
	value = trimSpace(value)
	err = t.UnmarshalText(value)
	if err != nil {
		// The time may have no zone.
		t, err = smithytime.ParseDateTime(string(value))
	}
	if err != nil {
		return time.Time{}, p.invalid("time")
	}
	return t.UTC().Truncate(time.Second), nil
}

// readFlag reads the text "true" or "false".
func (p *fields) readFlag() (flag, error) {
	value, err := p.xml.readValue()
	if err != nil {
		return unset, err
	}
	isYes, err := strconv.ParseBool(string(trimSpace(value)))
	if err != nil {
		return unset, p.invalid("flag")
	}
	if isYes {
		return yes, nil
	}
	return no, nil
}

// hexDigit returns the value of a hexadecimal digit, or -1 if c is none.
func hexDigit(c byte) int {
	if '0' <= c && c <= '9' {
		return int(c - '0')
	}
	lower := c | 0x20
	if 'a' <= lower && lower <= 'f' {
		return int(lower-'a') + 10
	}
	return -1
}

func (p *fields) invalid(kind string) error { return errors.New("the page has an invalid " + kind) }

// hasNext reports whether another page follows. next is the token or the key for the next page, or
// "" if this page has none. It decides if the page does not say whether it is truncated.
func (p *fields) hasNext(next string) (bool, error) {
	if p.isTruncated == yes && next == "" {
		return false, errNoToken
	}
	return p.isTruncated != no && next != "", nil
}
