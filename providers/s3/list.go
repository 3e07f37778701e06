package s3

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// List is one ListObjectsV2. Keys come escaped, where the server can: one
// control character would otherwise make a page that no XML decoder reads.
func (d *driver) List(ctx context.Context, r *storage.ListRequest) (*storage.Page, error) {
	in := &awss3.ListObjectsV2Input{
		Bucket:            d.name(),
		Prefix:            httpheader.Optional(r.Prefix),
		Delimiter:         httpheader.Optional(r.Delimiter),
		MaxKeys:           aws.Int32(int32(min(r.Limit, maxPage))),
		ContinuationToken: httpheader.Optional(r.Token),
		EncodingType:      types.EncodingTypeUrl,
	}
	// A start before the prefix leaves nothing out, and SeaweedFS up to 4.47 then
	// lists nothing.
	if r.Token == "" && (r.StartAfter > r.Prefix || strings.HasPrefix(r.StartAfter, r.Prefix)) {
		in.StartAfter = httpheader.Optional(r.StartAfter)
	}
	page := &storage.Page{}
	step := &pageStep{result: &awss3.ListObjectsV2Output{}, decode: func(answer []byte) error {
		return readPage(answer, page, r.Entries)
	}}
	if _, err := d.client.ListObjectsV2(ctx, in, step.swap); err != nil {
		return nil, d.listFailed(err)
	}
	return page, nil
}

// listFailed: nothing but a bucket can be missing to a listing.
func (d *driver) listFailed(err error) error {
	return sdkerror.FromListing(translate(err), d.bucketHint())
}

// A listPage is an answer of ListObjectsV2 that is being read.
type listPage struct {
	pageFields
	*storage.Page
}

// readPage makes a page of an answer, with the memory of spare where there is
// any.
func readPage(answer []byte, page *storage.Page, spare []storage.ListEntry) error {
	p := &listPage{pageFields: pageFields{xmlReader: xmlReader{doc: answer}}, Page: page}
	if cap(spare) == 0 {
		n := bytes.Count(answer, []byte("<Contents>")) + bytes.Count(answer, []byte("<CommonPrefixes>"))
		spare = make([]storage.ListEntry, 0, min(n, maxPage))
	}
	p.Entries, p.Token = spare[:0], ""
	if err := p.each(p.element); err != nil {
		return err
	}
	return p.finish()
}

func (p *listPage) element(name []byte) (err error) {
	switch {
	case is(name, "Contents"):
		return p.entry(storage.ListEntry{}, p.object)
	case is(name, "CommonPrefixes"):
		return p.entry(storage.ListEntry{IsPrefix: true}, p.prefix)
	case is(name, "NextContinuationToken"):
		var value []byte
		value, err = p.value()
		p.Token = string(value)
		return err
	}
	return p.common(name)
}

func (p *listPage) entry(e storage.ListEntry, field func([]byte) error) error {
	if len(p.Entries) == maxPageEntries {
		return errPageTooLong
	}
	p.Entries = append(p.Entries, e)
	return p.children(field)
}

func (p *listPage) object(name []byte) error {
	return p.field(&p.Entries[len(p.Entries)-1], name)
}

func (p *listPage) prefix(name []byte) (err error) {
	if !is(name, "Prefix") {
		return p.skip()
	}
	p.Entries[len(p.Entries)-1].Key, err = p.string()
	return err
}

// finish does what wants the whole page: some servers tell at its end how keys
// are written.
func (p *listPage) finish() (err error) {
	for i := range p.Entries {
		if p.Entries[i].Key, err = p.key(p.Entries[i].Key); err != nil {
			return err
		}
	}
	mergePrefixes(p.Entries)
	more, err := p.goesOn(p.Token)
	if !more {
		p.Token = ""
	}
	return err
}

// mergePrefixes puts the common prefixes, which S3 sends apart, among the
// objects. It only merges: if either kind does not ascend, the server lists in
// another order, which the core must see.
func mergePrefixes(entries []storage.ListEntry) {
	var object, prefix *storage.ListEntry
	for i := range entries {
		last := &object
		if entries[i].IsPrefix {
			last = &prefix
		}
		if *last != nil && entries[i].Key < (*last).Key {
			return
		}
		*last = &entries[i]
	}
	if prefix != nil {
		slices.SortStableFunc(entries, func(a, b storage.ListEntry) int { return strings.Compare(a.Key, b.Key) })
	}
}
