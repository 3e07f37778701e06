package signed

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/escape"
)

// An Attribute of the object to be, or a condition on storing it, is a header of
// a signed upload and a field of a signed form.
type Attribute struct {
	Name  string // in lower case
	Value string // as it is sent
}

const (
	metadataPrefix = "x-omnibucket-meta-"
	classAttribute = "x-omnibucket-storage-class"
	aclAttribute   = "x-omnibucket-acl"
	publicRead     = "public-read"
	ifNoneMatch    = "if-none-match"
)

// properties are the attributes that are a text of Properties.
var properties = []struct {
	name   string
	get    func(*storage.Properties) string
	option func(string) storage.WriteOption
}{
	{"cache-control", func(p *storage.Properties) string { return p.CacheControl }, storage.WithCacheControl},
	{"content-disposition", func(p *storage.Properties) string { return p.ContentDisposition }, storage.WithContentDisposition},
	{"content-encoding", func(p *storage.Properties) string { return p.ContentEncoding }, storage.WithContentEncoding},
	{"content-language", func(p *storage.Properties) string { return p.ContentLanguage }, storage.WithContentLanguage},
	{"content-type", func(p *storage.Properties) string { return p.ContentType }, storage.WithContentType},
	{classAttribute, func(p *storage.Properties) string { return p.StorageClass }, storage.WithStorageClass},
}

// attributesOf are those that r asks for, by name.
func attributesOf(r *storage.SignRequest) []Attribute {
	var attributes []Attribute
	for _, p := range properties {
		if value := p.get(&r.Properties); value != "" {
			attributes = append(attributes, Attribute{p.name, value})
		}
	}
	for name, value := range r.Metadata {
		// A browser sends no header beyond ASCII.
		attributes = append(attributes, Attribute{metadataPrefix + name, escape.Key(value)})
	}
	if r.PublicRead {
		attributes = append(attributes, Attribute{aclAttribute, publicRead})
	}
	if r.Condition.Absent {
		attributes = append(attributes, Attribute{ifNoneMatch, "*"})
	}
	slices.SortFunc(attributes, func(a, b Attribute) int { return strings.Compare(a.Name, b.Name) })
	return attributes
}

// UploadOptions store an object as the grant has it.
func (g *Grant) UploadOptions() ([]storage.UploadOption, error) {
	var opts []storage.UploadOption
	metadata := map[string]string{}
	for _, a := range g.Attributes {
		if name, ok := strings.CutPrefix(a.Name, metadataPrefix); ok {
			value, err := url.PathUnescape(a.Value)
			if err != nil {
				return nil, storage.InvalidArgument
			}
			metadata[name] = value
			continue
		}
		opt, ok := a.option()
		if !ok {
			return nil, storage.InvalidArgument
		}
		opts = append(opts, opt)
	}
	if len(metadata) > 0 {
		opts = append(opts, storage.WithMetadata(metadata))
	}
	if g.CRC32C != "" {
		crc, err := strconv.ParseUint(g.CRC32C, 16, 32)
		if err != nil {
			return nil, storage.InvalidArgument
		}
		opts = append(opts, storage.WithCRC32C(uint32(crc)))
	}
	return opts, nil
}

func (a Attribute) option() (storage.UploadOption, bool) {
	for _, p := range properties {
		if a.Name == p.name {
			return p.option(a.Value), true
		}
	}
	switch a {
	case Attribute{aclAttribute, publicRead}:
		return storage.WithPublicRead(), true
	case Attribute{ifNoneMatch, "*"}:
		return storage.IfAbsent(), true
	}
	return nil, false
}

func formatCRC(crc uint32) string { return fmt.Sprintf("%08x", crc) }

// Creates reports whether the grant is for an object that is not there alone.
func (g *Grant) Creates() bool { return slices.Contains(g.Attributes, Attribute{ifNoneMatch, "*"}) }

// HasType reports whether the grant says the object's media type.
func (g *Grant) HasType() bool {
	return slices.ContainsFunc(g.Attributes, func(a Attribute) bool { return a.Name == "content-type" })
}
