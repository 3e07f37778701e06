package listxml

import (
	"bytes"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
)

// maxKeys is the number of entries that S3 lists in one response.
const maxKeys = 1000

type objectsPage struct {
	fields fields
	page   *storage.Page
}

// ReadObjects reads a response of ListObjectsV2 into page. prefix is that of the request. The
// entries use the memory of buffer, if it has any.
func ReadObjects(response []byte, prefix string, page *storage.Page, buffer []storage.ListEntry) error {
	// Without a buffer, allocate memory for all entries at once.
	if cap(buffer) == 0 {
		count := bytes.Count(response, []byte("<Contents>")) + bytes.Count(response, []byte("<CommonPrefixes>"))
		buffer = make([]storage.ListEntry, 0, min(count, maxKeys))
	}
	// An unusual document is read twice, so each attempt begins with an empty page.
	return readDocument(response, func(r reader) error {
		p := &objectsPage{fields: fields{xml: r}, page: page}
		p.page.Entries = buffer[:0]
		p.page.Token = ""
		if err := p.fields.eachElement(p.readElement); err != nil {
			return err
		}
		if err := p.fields.checkPrefix(prefix); err != nil {
			return err
		}
		return p.finishPage()
	})
}

// readElement reads an element below the root of a page of objects: an object, a common prefix, or a
// field of the whole page.
func (p *objectsPage) readElement(name []byte) error {
	if sameName(name, "Contents") {
		return p.readEntry(storage.ListEntry{}, p.readObject)
	}
	if sameName(name, "CommonPrefixes") {
		return p.readEntry(storage.ListEntry{IsPrefix: true}, p.readPrefix)
	}
	if sameName(name, "NextContinuationToken") {
		value, err := p.fields.xml.readValue()
		p.page.Token = string(value)
		return err
	}
	return p.fields.readPageField(name)
}

// readEntry adds e to the page, and calls field to read each element of the entry into it.
func (p *objectsPage) readEntry(e storage.ListEntry, field func([]byte) error) error {
	if len(p.page.Entries) == MaxEntries {
		return errTooLong
	}
	p.page.Entries = append(p.page.Entries, e)
	return p.fields.eachChild(field)
}

// readObject reads an element of an object into the last entry.
func (p *objectsPage) readObject(name []byte) error {
	return p.fields.readEntryField(&p.page.Entries[len(p.page.Entries)-1], name)
}

// readPrefix reads an element of a common prefix into the last entry.
func (p *objectsPage) readPrefix(name []byte) (err error) {
	if !sameName(name, "Prefix") {
		return p.fields.xml.skipElement()
	}
	p.page.Entries[len(p.page.Entries)-1].Key, err = p.fields.readString()
	return err
}

// finishPage unescapes and merges the entries after the whole page was read, because some servers
// only say at its end how keys are escaped.
func (p *objectsPage) finishPage() error {
	for i := range p.page.Entries {
		e := &p.page.Entries[i]
		key, err := p.fields.unescape(e.Key)
		if err != nil {
			return err
		}
		e.Key = key
	}
	mergePrefixes(p.page.Entries)

	// A token is only valid if another page follows.
	hasMore, err := p.fields.hasNext(p.page.Token)
	if err != nil {
		return err
	}
	if !hasMore {
		p.page.Token = ""
	}
	return nil
}

// mergePrefixes merges the common prefixes, which S3 lists separately, with the objects. If either
// are not in ascending order, the entries stay in the server's order.
func mergePrefixes(entries []storage.ListEntry) {
	var lastObject, lastPrefix string
	hasPrefix := false
	for i := range entries {
		last := &lastObject // the last key of the same kind
		if entries[i].IsPrefix {
			last = &lastPrefix
			hasPrefix = true
		}
		if entries[i].Key < *last {
			return
		}
		*last = entries[i].Key
	}

	if hasPrefix {
		slices.SortStableFunc(entries, func(a, b storage.ListEntry) int { return strings.Compare(a.Key, b.Key) })
	}
}
