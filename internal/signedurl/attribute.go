package signedurl

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/escape"
)

// An Attribute is a property of the object to store, or a condition on storing it. A client sends
// it as a header of a signed upload, or as a field of a signed form.
type Attribute struct {
	Name  string // name in lower case
	Value string // value that the client sends
}

const (
	metadataPrefix = "x-omnibucket-meta-"
	classAttribute = "x-omnibucket-storage-class"
	aclAttribute   = "x-omnibucket-acl"
	publicRead     = "public-read"
	ifNoneMatch    = "if-none-match"
	tagsAttribute  = "x-omnibucket-tags" // value is written like a query: k=v&k=v
	lockAttribute  = "x-omnibucket-retention-"
	holdAttribute  = "x-omnibucket-legal-hold"
	on             = "on"
)

// properties lists the attributes that correspond to text fields of storage.Properties.
var properties = []struct {
	name   string
	get    func(*storage.Properties) string
	option func(string) storage.WriteOption
}{
	{"cache-control", func(p *storage.Properties) string { return p.CacheControl }, storage.WithCacheControl},
	{
		"content-disposition", func(p *storage.Properties) string { return p.ContentDisposition },
		storage.WithContentDisposition,
	},
	{"content-encoding", func(p *storage.Properties) string { return p.ContentEncoding }, storage.WithContentEncoding},
	{"content-language", func(p *storage.Properties) string { return p.ContentLanguage }, storage.WithContentLanguage},
	{"content-type", func(p *storage.Properties) string { return p.ContentType }, storage.WithContentType},
	{classAttribute, func(p *storage.Properties) string { return p.StorageClass }, storage.WithStorageClass},
}

// attributesOf returns the properties and conditions of an upload as the headers that a client must
// send, sorted by name.
func attributesOf(r *driver.SignRequest) []Attribute {
	var attributes []Attribute
	for _, p := range properties {
		if value := p.get(&r.Properties); value != "" {
			attributes = append(attributes, Attribute{Name: p.name, Value: value})
		}
	}
	for name, value := range r.Metadata {
		// Browsers send only ASCII in headers, so the value is escaped.
		attributes = append(attributes, Attribute{Name: metadataPrefix + name, Value: escape.Path(value)})
	}
	if r.PublicRead {
		attributes = append(attributes, Attribute{Name: aclAttribute, Value: publicRead})
	}

	if len(r.Tags) > 0 {
		tags := url.Values{}
		for key, value := range r.Tags {
			tags.Set(key, value)
		}
		attributes = append(attributes, Attribute{Name: tagsAttribute, Value: tags.Encode()})
	}

	if r.Retention != (storage.Retention{}) {
		attributes = append(attributes, Attribute{
			Name:  lockAttribute + string(r.Retention.Mode),
			Value: r.Retention.Until.UTC().Format(time.RFC3339),
		})
	}
	if r.LegalHold {
		attributes = append(attributes, Attribute{Name: holdAttribute, Value: on})
	}
	if r.Condition.Absent {
		attributes = append(attributes, Attribute{Name: ifNoneMatch, Value: "*"})
	}
	slices.SortFunc(attributes, func(a, b Attribute) int { return strings.Compare(a.Name, b.Name) })
	return attributes
}

// UploadOptions returns the options for an upload with the properties and conditions of the grant.
func (g *Grant) UploadOptions() ([]storage.UploadOption, error) {
	var opts []storage.UploadOption
	metadata := map[string]string{}
	for _, a := range g.Attributes {
		if name, ok := strings.CutPrefix(a.Name, metadataPrefix); ok {
			value, err := url.PathUnescape(a.Value)
			if err != nil {
				// This is not a value that attributesOf has escaped.
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
	if g.CRC32C.Known {
		opts = append(opts, storage.WithCRC32C(g.CRC32C.Sum))
	}
	return opts, nil
}

// PartOptions returns the options for storing the part that the grant permits.
func (g *Grant) PartOptions() []storage.PartOption {
	if !g.CRC32C.Known {
		return nil
	}
	return []storage.PartOption{storage.WithCRC32C(g.CRC32C.Sum)}
}

// option returns the option that has made the attribute. It returns false if the name is unknown or the value
// is malformed.
func (a Attribute) option() (storage.UploadOption, bool) {
	for _, p := range properties {
		if a.Name == p.name {
			return p.option(a.Value), true
		}
	}

	// The name of the attribute for a retention ends in the mode.
	if mode, ok := strings.CutPrefix(a.Name, lockAttribute); ok {
		expires, err := time.Parse(time.RFC3339, a.Value)
		if err != nil {
			return nil, false
		}
		return storage.WithRetention(expires, storage.RetentionMode(mode)), true
	}

	switch a.Name {
	case tagsAttribute:
		return a.tags()
	case holdAttribute:
		return storage.WithLegalHold(), a.Value == on
	case aclAttribute:
		return storage.WithPublicRead(), a.Value == publicRead
	case ifNoneMatch:
		return storage.IfAbsent(), a.Value == "*"
	}
	return nil, false
}

// tags returns the option for an attribute with tags, and false if they are malformed.
func (a Attribute) tags() (storage.UploadOption, bool) {
	values, err := url.ParseQuery(a.Value)
	tags := make(map[string]string, len(values))
	for key := range values {
		tags[key] = values.Get(key)
	}
	return storage.WithTags(tags), err == nil
}

// textOfCRC returns a checksum as 8 hexadecimal digits, or "" if it is unknown.
func textOfCRC(crc storage.CRC32C) string {
	if !crc.Known {
		return ""
	}
	return fmt.Sprintf("%08x", crc.Sum)
}

// crcOf parses a result of textOfCRC.
func crcOf(text string) storage.CRC32C {
	sum, _ := strconv.ParseUint(text, 16, 32)
	return storage.CRC32C{Sum: uint32(sum), Known: text != ""}
}

// RequiresAbsence reports whether the grant permits an upload only if the object does not exist
// yet.
func (g *Grant) RequiresAbsence() bool {
	return slices.Contains(g.Attributes, Attribute{Name: ifNoneMatch, Value: "*"})
}

// HasContentType reports whether the grant sets the object's media type.
func (g *Grant) HasContentType() bool {
	return slices.ContainsFunc(g.Attributes, func(a Attribute) bool { return a.Name == "content-type" })
}
