// Package checksum has the checksums of S3: their algorithms and headers, checksums of parts that are
// joined to one of the whole object, and the digest that an upload computes while its bytes pass.
package checksum

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/minio/crc64nvme"

	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// A Kind is one of S3's algorithms.
type Kind struct {
	Name      string // "CRC32C"
	Header    string // "X-Amz-Checksum-Crc32c"
	make      func() hash.Hash
	Full      bool // can cover a whole multipart object
	Composite bool // can cover the checksums of the parts
	element   func(*Elements) *string
}

var Kinds = []*Kind{
	{
		"CRC32", "X-Amz-Checksum-Crc32", func() hash.Hash { return crc32.NewIEEE() }, true, true,
		func(e *Elements) *string { return &e.ChecksumCRC32 },
	},
	{
		"CRC32C", "X-Amz-Checksum-Crc32c", func() hash.Hash { return crc32c.New() }, true, true,
		func(e *Elements) *string { return &e.ChecksumCRC32C },
	},
	{
		"CRC64NVME", "X-Amz-Checksum-Crc64nvme", func() hash.Hash { return crc64nvme.New() }, true, false,
		func(e *Elements) *string { return &e.ChecksumCRC64NVME },
	},
	{"SHA1", "X-Amz-Checksum-Sha1", sha1.New, false, true, func(e *Elements) *string { return &e.ChecksumSHA1 }},
	{
		"SHA256", "X-Amz-Checksum-Sha256", sha256.New, false, true,
		func(e *Elements) *string { return &e.ChecksumSHA256 },
	},
	{
		"SHA512", "X-Amz-Checksum-Sha512", sha512.New, false, true,
		func(e *Elements) *string { return &e.ChecksumSHA512 },
	},
	{"MD5", "X-Amz-Checksum-Md5", md5.New, false, true, func(e *Elements) *string { return &e.ChecksumMD5 }},
}

// missingKinds are the names of S3's algorithms that this server lacks: the standard library
// has no xxHash.
var missingKinds = []string{"XXHASH64", "XXHASH3", "XXHASH128"}

const (
	Prefix             = "X-Amz-Checksum-"
	AlgorithmHeader    = Prefix + "Algorithm"
	TypeHeader         = Prefix + "Type"
	SDKAlgorithmHeader = "X-Amz-Sdk-Checksum-Algorithm"
)

// Parameters are the headers that begin like a checksum's header and are not one.
var Parameters = []string{AlgorithmHeader, Prefix + "Mode", TypeHeader}

// Default is the kind that is computed if the client asks for none.
var Default = Kinds[2]

const (
	FullObject = "FULL_OBJECT"
	Composite  = "COMPOSITE"
)

// A Sum is stored with an object or a part.
type Sum struct {
	Kind   *Kind  // nil if there is no checksum
	Value  string // in base64, with "-N" if it is composite
	Covers string
}

// ByName returns the kind with a name, or nil.
func ByName(name string) *Kind {
	for _, kind := range Kinds {
		if strings.EqualFold(kind.Name, name) {
			return kind
		}
	}
	return nil
}

func kindByHeader(name string) *Kind {
	if len(name) < len(Prefix) || !strings.EqualFold(name[:len(Prefix)], Prefix) {
		return nil
	}
	return ByName(name[len(Prefix):])
}

// Label returns the name in lower case.
func (k *Kind) Label() string { return strings.ToLower(k.Name) }

// Valid reports whether a value can be a checksum of this kind.
func (k *Kind) Valid(value string) bool {
	raw, err := base64.StdEncoding.DecodeString(value)
	return err == nil && len(raw) == k.make().Size()
}

// Missing returns NotImplemented if a name, with or without the prefix of a header, is that of
// an algorithm that this server lacks.
func Missing(name string) error {
	for _, missing := range missingKinds {
		if strings.EqualFold(name, missing) || strings.EqualFold(name, Prefix+missing) {
			return s3error.New("NotImplemented", "Header", strings.ToLower(Prefix+missing))
		}
	}
	return nil
}

// OfHeader returns the checksum in a request's headers, or one with a nil kind. It fails if
// an algorithm is unknown.
func OfHeader(header http.Header) (Sum, error) {
	var found Sum
	for name, values := range header {
		if !strings.HasPrefix(name, Prefix) || slices.Contains(Parameters, name) {
			continue
		}
		if err := Missing(name); err != nil {
			return Sum{}, err
		}
		kind := kindByHeader(name)
		if kind == nil {
			return Sum{}, s3error.New(
				"InvalidRequest",
			).WithMessage(
				"The algorithm type you specified in x-amz-checksum- header is invalid.",
			)
		}
		if found.Kind != nil || len(values) > 1 {
			return Sum{}, MultipleChecksums()
		}
		found = Sum{Kind: kind, Value: values[0], Covers: FullObject}
	}
	return found, nil
}

func MultipleChecksums() *s3error.Error {
	return s3error.New(
		"InvalidRequest",
	).WithMessage(
		"Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
	)
}

// Announced returns the kind of the checksum in the announced trailers, or nil. It fails
// if a trailer is anything but a checksum.
func Announced(trailers []string) (found *Kind, err error) {
	for _, name := range trailers {
		if err := Missing(name); err != nil {
			return nil, err
		}
		kind := kindByHeader(name)
		switch {
		case kind == nil:
			return nil, s3error.New(
				"InvalidRequest",
			).WithMessage(
				"The value specified in the x-amz-trailer header is not supported",
			)
		case found != nil:
			return nil, MultipleChecksums()
		}
		found = kind
	}
	return found, nil
}

// Named returns the kind that x-amz-checksum-algorithm names.
func Named(name string) (*Kind, error) {
	if err := Missing(name); err != nil {
		return nil, err
	}
	if kind := ByName(name); kind != nil {
		return kind, nil
	}
	var names []string
	for _, kind := range Kinds {
		names = append(names, kind.Name)
	}
	return nil, s3error.New(
		"InvalidRequest",
	).WithMessage(
		"Checksum algorithm provided is unsupported. Please try again with any of the valid types: [%s]",
		strings.Join(names, ", "),
	)
}

// Write adds the checksum to the headers of a response.
func (c Sum) Write(header http.Header) {
	if c.Kind != nil {
		header.Set(c.Kind.Header, c.Value)
		header.Set("X-Amz-Checksum-Type", c.Covers)
	}
}

// Algorithm returns S3's name of the algorithm, or "" if there is no checksum.
func (c Sum) Algorithm() string {
	if c.Kind == nil {
		return ""
	}
	return c.Kind.Name
}

// A Part is a part of an object with its checksum.
type Part struct {
	Value string // the checksum, in base64
	Size  int64  // in bytes
}

// CompositeOf returns the checksum of the parts' checksums.
func CompositeOf(kind *Kind, parts []Part) Sum {
	h := kind.make()
	for _, p := range parts {
		raw, _ := base64.StdEncoding.DecodeString(p.Value)
		h.Write(raw)
	}
	value := base64.StdEncoding.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts))
	return Sum{kind, value, Composite}
}

// A Digest computes the hashes that an upload needs, while its bytes pass.
type Digest struct {
	MD5    hash.Hash
	SHA256 hash.Hash // nil if not needed
	kind   *Kind
	hash   hash.Hash
	Size   int64
	also   *Digest // a digest with another checksum, or nil
}

// NewDigest returns a digest for a kind.
func NewDigest(kind *Kind, withSHA256 bool) *Digest {
	d := &Digest{MD5: md5.New(), kind: kind, hash: kind.make()}
	if withSHA256 {
		d.SHA256 = sha256.New()
	}
	return d
}

// Also returns a digest of the bytes that will be written to d, with another checksum.
func (d *Digest) Also(kind *Kind) *Digest {
	d.also = &Digest{MD5: d.MD5, kind: kind, hash: kind.make()}
	return d.also
}

func (d *Digest) Write(p []byte) (int, error) {
	d.MD5.Write(p)
	d.hash.Write(p)
	if d.SHA256 != nil {
		d.SHA256.Write(p)
	}
	d.Size += int64(len(p))
	if d.also != nil {
		d.also.hash.Write(p)
		d.also.Size = d.Size
	}
	return len(p), nil
}

// Sum returns the checksum of the bytes.
func (d *Digest) Sum() Sum {
	return Sum{d.kind, base64.StdEncoding.EncodeToString(d.hash.Sum(nil)), FullObject}
}
