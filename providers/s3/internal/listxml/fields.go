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

// eachElement calls read for each element below the root of a listing, with the name of the element. read
// must read the element to its end.
func (f *fields) eachElement(read func(name []byte) error) error {
	root, err := f.xml.openRoot()
	if err != nil {
		return err
	}

	// Servers differ in the rest of the name.
	if len(root) < len("List") || !sameName(root[:len("List")], "List") {
		return errNoListing
	}
	return f.eachChild(read)
}

// eachChild calls read for each element in the innermost open element, with the name of the element. read
// must read the element to its end. Then the innermost element is closed.
func (f *fields) eachChild(read func(name []byte) error) error {
	for {
		name, err := f.xml.openChild() // nil after the last element
		if err != nil || name == nil {
			return err
		}
		if err := read(name); err != nil {
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
func (f *fields) readPageField(name []byte) (err error) {
	switch {
	case sameName(name, "EncodingType"):
		var value []byte
		value, err = f.xml.readValue()
		f.isEscaped = string(trimSpace(value)) == "url"
	case sameName(name, "IsTruncated"):
		f.isTruncated, err = f.readFlag()
	case sameName(name, "Prefix"):
		f.prefix, err = f.readString()
	default:
		err = f.xml.skipElement()
	}
	return err
}

// readEntryField reads the element name of an object in a listing into the entry e. It does not
// unescape the key, because the page may only say later that keys are escaped.
func (f *fields) readEntryField(e *storage.ListEntry, name []byte) (err error) {
	switch {
	case sameName(name, "Key"):
		e.Key, err = f.readString()
	case sameName(name, "Size"):
		e.Size, err = f.readSize()
	case sameName(name, "ETag"):
		e.ETag, err = f.readString()
		e.ETag = httpheader.ETag(e.ETag)
		e.Revision = e.ETag
	case sameName(name, "LastModified"):
		e.Modified, err = f.readTime()
	case sameName(name, "StorageClass"):
		var class []byte
		class, err = f.xml.readValue()
		// The usual class is the same as none.
		if string(class) == httpheader.StandardClass {
			class = nil
		}
		e.StorageClass = f.copyString(class)
	default:
		err = f.xml.skipElement()
	}
	return err
}

func (f *fields) readString() (string, error) {
	value, err := f.xml.readValue()
	return f.copyString(value), err
}

// copyString returns a copy of text as a string. Several such strings share one allocation.
func (f *fields) copyString(text []byte) string {
	if f.block.Cap()-f.block.Len() < len(text) {
		// About a third of a page is text that callers keep.
		f.block = strings.Builder{}
		f.block.Grow(max(len(text), min(textBlock, len(f.xml.doc)/3)))
	}

	start := f.block.Len()
	f.block.Write(text)
	return f.block.String()[start:]
}

// checkPrefix fails if the prefix in the response shows that its names are escaped, although it
// does not say so. requested is the prefix of the request. If common prefixes stayed escaped, their
// listings would be empty, and their objects would seem to be missing.
func (f *fields) checkPrefix(requested string) error {
	if f.isEscaped || f.prefix == requested {
		return nil
	}
	text, err := f.decodeKey(f.prefix)
	if err == nil && text == requested {
		return errEscaped
	}
	// Any other prefix is accepted, because servers differ in what they return.
	return nil
}

// unescape removes the escaping from a key, if the page says that its keys are escaped.
func (f *fields) unescape(key string) (string, error) {
	if !f.isEscaped {
		return key, nil
	}
	return f.decodeKey(key)
}

// decodeKey returns a key without its escaping.
func (f *fields) decodeKey(key string) (string, error) {
	if strings.IndexByte(key, '%') < 0 && strings.IndexByte(key, '+') < 0 {
		return key, nil
	}
	data := f.xml.scratch[:0]
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
	f.xml.scratch = data
	return f.copyString(data), nil
}

// readSize reads the size of an object.
func (f *fields) readSize() (int64, error) {
	value, err := f.xml.readValue()
	if err != nil {
		return 0, err
	}
	size, err := strconv.ParseInt(string(trimSpace(value)), 10, 64)
	if err != nil || size < 0 {
		return 0, f.invalid("size")
	}
	return size, nil
}

// readTime reads a time and returns it in whole seconds, like the time in a header.
func (f *fields) readTime() (time.Time, error) {
	value, err := f.xml.readValue()
	if err != nil {
		return time.Time{}, err
	}

	var t time.Time
	value = trimSpace(value)
	if t.UnmarshalText(value) != nil {
		// The time may have no zone.
		t, err = smithytime.ParseDateTime(string(value))
		if err != nil {
			return time.Time{}, f.invalid("time")
		}
	}
	return t.UTC().Truncate(time.Second), nil
}

// readFlag reads the text "true" or "false".
func (f *fields) readFlag() (flag, error) {
	value, err := f.xml.readValue()
	if err != nil {
		return unset, err
	}
	isYes, err := strconv.ParseBool(string(trimSpace(value)))
	if err != nil {
		return unset, f.invalid("flag")
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

func (f *fields) invalid(kind string) error { return errors.New("the page has an invalid " + kind) }

// hasNext reports whether another page follows. next is the token or the key for the next page, or
// "" if this page has none. It decides if the page does not say whether it is truncated.
func (f *fields) hasNext(next string) (bool, error) {
	if f.isTruncated == yes && next == "" {
		return false, errNoToken
	}
	return f.isTruncated != no && next != "", nil
}
