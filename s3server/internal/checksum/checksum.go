// Package checksum implements the checksums of S3: their algorithms and headers. It computes the
// digest of an upload while the bytes pass. It also computes the checksum of an object from the
// checksums of its parts.
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

// A Kind is a checksum algorithm of S3.
type Kind struct {
	Name      string // such as "CRC32C"
	Header    string // such as "X-Amz-Checksum-Crc32c"
	make      func() hash.Hash
	Full      bool // true if the algorithm can make one checksum of all bytes of a multipart object
	Composite bool // true if the algorithm can make a checksum of the parts' checksums
	element   func(*Elements) *string
}

// Kinds has the algorithms that this server implements.
var Kinds = []*Kind{
	{
		Name:      "CRC32",
		Header:    "X-Amz-Checksum-Crc32",
		make:      func() hash.Hash { return crc32.NewIEEE() },
		Full:      true,
		Composite: true,
		element:   func(e *Elements) *string { return &e.ChecksumCRC32 },
	},
	{
		Name:      "CRC32C",
		Header:    "X-Amz-Checksum-Crc32c",
		make:      func() hash.Hash { return crc32c.New() },
		Full:      true,
		Composite: true,
		element:   func(e *Elements) *string { return &e.ChecksumCRC32C },
	},
	{
		Name:    "CRC64NVME",
		Header:  "X-Amz-Checksum-Crc64nvme",
		make:    func() hash.Hash { return crc64nvme.New() },
		Full:    true,
		element: func(e *Elements) *string { return &e.ChecksumCRC64NVME },
	},
	{
		Name:      "SHA1",
		Header:    "X-Amz-Checksum-Sha1",
		make:      sha1.New,
		Composite: true,
		element:   func(e *Elements) *string { return &e.ChecksumSHA1 },
	},
	{
		Name:      "SHA256",
		Header:    "X-Amz-Checksum-Sha256",
		make:      sha256.New,
		Composite: true,
		element:   func(e *Elements) *string { return &e.ChecksumSHA256 },
	},
	{
		Name:      "SHA512",
		Header:    "X-Amz-Checksum-Sha512",
		make:      sha512.New,
		Composite: true,
		element:   func(e *Elements) *string { return &e.ChecksumSHA512 },
	},
	{
		Name:      "MD5",
		Header:    "X-Amz-Checksum-Md5",
		make:      md5.New,
		Composite: true,
		element:   func(e *Elements) *string { return &e.ChecksumMD5 },
	},
}

// missingKinds has the names of S3's algorithms that this server does not implement, because Go's
// standard library has no xxHash.
var missingKinds = []string{"XXHASH64", "XXHASH3", "XXHASH128"}

const (
	Prefix             = "X-Amz-Checksum-"
	AlgorithmHeader    = Prefix + "Algorithm"
	TypeHeader         = Prefix + "Type"
	SDKAlgorithmHeader = "X-Amz-Sdk-Checksum-Algorithm"
)

// Parameters has the headers that begin with x-amz-checksum- but are not checksums.
var Parameters = []string{AlgorithmHeader, Prefix + "Mode", TypeHeader}

// Default is the kind of checksum that is computed if a client asks for none.
var Default = ByName("CRC64NVME")

// These are the values of Sum.Covers. A full checksum is one of all bytes of an object. A composite
// one is a checksum of the checksums of its parts.
const (
	FullObject = "FULL_OBJECT"
	Composite  = "COMPOSITE"
)

// A Sum is the checksum of an object or a part.
type Sum struct {
	Kind   *Kind  // nil if there is no checksum
	Value  string // base64; a composite checksum also has "-N", the number of parts
	Covers string
}

// ByName returns the kind with this name, or nil. The case of letters does not matter.
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

// Label returns the name of the kind in lower case, as in headers.
func (k *Kind) Label() string { return strings.ToLower(k.Name) }

// Valid reports whether a value is base64 of the length that checksums of this kind have.
func (k *Kind) Valid(value string) bool {
	raw, err := base64.StdEncoding.DecodeString(value)
	return err == nil && len(raw) == k.make().Size()
}

// CheckSupported fails with NotImplemented if name is that of an algorithm of S3, or of the algorithm's header, that
// this server does not implement.
func CheckSupported(name string) error {
	for _, kind := range missingKinds {
		if strings.EqualFold(name, kind) || strings.EqualFold(name, Prefix+kind) {
			return s3error.New("NotImplemented", "Header", strings.ToLower(Prefix+kind))
		}
	}
	return nil
}

// OfHeader returns the checksum in the headers of a request, or the zero Sum if there is none. It fails if the
// algorithm is unknown, or if there are several checksums.
func OfHeader(header http.Header) (Sum, error) {
	var found Sum
	for name, values := range header {
		// Some headers with the prefix have no checksum, such as the one that only names the algorithm.
		isParameter := slices.Contains(Parameters, name)
		if isParameter || !strings.HasPrefix(name, Prefix) {
			continue
		}
		if err := CheckSupported(name); err != nil {
			return Sum{}, err
		}
		kind := kindByHeader(name)
		if kind == nil {
			return Sum{}, s3error.New("InvalidRequest").
				WithMessage("The algorithm type you specified in x-amz-checksum- header is invalid.")
		}
		isSecond := found.Kind != nil
		if isSecond || len(values) > 1 {
			return Sum{}, MultipleChecksums()
		}
		found = Sum{Kind: kind, Value: values[0], Covers: FullObject}
	}
	return found, nil
}

// MultipleChecksums returns the error of a request with several checksums.
func MultipleChecksums() *s3error.Error {
	return s3error.New("InvalidRequest").
		WithMessage("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
}

// Announced returns the kind of the checksum in the announced trailer, or nil if no trailer is announced. It fails if a
// trailer is not a checksum, or if there are several.
func Announced(trailers []string) (*Kind, error) {
	var announced *Kind
	for _, name := range trailers {
		if err := CheckSupported(name); err != nil {
			return nil, err
		}
		kind := kindByHeader(name)
		if kind == nil {
			return nil, s3error.New("InvalidRequest").
				WithMessage("The value specified in the x-amz-trailer header is not supported")
		}
		if announced != nil {
			return nil, MultipleChecksums()
		}
		announced = kind
	}
	return announced, nil
}

// Named returns the kind of checksum with the name that a client sent in x-amz-checksum-algorithm, or fails if there is
// none.
func Named(name string) (*Kind, error) {
	if err := CheckSupported(name); err != nil {
		return nil, err
	}
	if kind := ByName(name); kind != nil {
		return kind, nil
	}
	var names []string
	for _, kind := range Kinds {
		names = append(names, kind.Name)
	}
	return nil, s3error.New("InvalidRequest").WithMessage(
		"Checksum algorithm provided is unsupported. Please try again with any of the valid types: [%s]",
		strings.Join(names, ", "),
	)
}

// Write adds the checksum, if there is one, to the headers of a response.
func (c Sum) Write(header http.Header) {
	if c.Kind != nil {
		header.Set(c.Kind.Header, c.Value)
		header.Set("X-Amz-Checksum-Type", c.Covers)
	}
}

// Algorithm returns S3's name of the checksum's algorithm, or "" if there is no checksum.
func (c Sum) Algorithm() string {
	if c.Kind == nil {
		return ""
	}
	return c.Kind.Name
}

// A Part is the size and the checksum of one part of an object.
type Part struct {
	Value string // the checksum, in base64
	Size  int64  // in bytes
}

// CompositeOf returns the composite checksum of an object, which is the checksum of its parts' checksums.
func CompositeOf(kind *Kind, parts []Part) Sum {
	h := kind.make()
	for _, p := range parts {
		raw, _ := base64.StdEncoding.DecodeString(p.Value) // the server has encoded it
		h.Write(raw)
	}
	value := base64.StdEncoding.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts))
	return Sum{Kind: kind, Value: value, Covers: Composite}
}

// A Digest is an [io.Writer] that computes the hashes of an upload's bytes.
type Digest struct {
	MD5    hash.Hash
	SHA256 hash.Hash // nil if the SHA-256 is not needed
	kind   *Kind
	hash   hash.Hash
	Size   int64
	next   *Digest // a digest of another kind that receives the same bytes, or nil
}

// NewDigest returns a digest that computes the MD5, a checksum of a kind, and the SHA-256 if withSHA256 is true.
func NewDigest(kind *Kind, withSHA256 bool) *Digest {
	d := &Digest{MD5: md5.New(), kind: kind, hash: kind.make()}
	if withSHA256 {
		d.SHA256 = sha256.New()
	}
	return d
}

// Also returns a second digest, which has another kind of checksum. The second digest receives all
// bytes that are written to d.
func (d *Digest) Also(kind *Kind) *Digest {
	d.next = &Digest{MD5: d.MD5, kind: kind, hash: kind.make()}
	return d.next
}

// Write adds p to all hashes of the digest. It never fails.
func (d *Digest) Write(p []byte) (int, error) {
	d.MD5.Write(p)
	d.hash.Write(p)
	if d.SHA256 != nil {
		d.SHA256.Write(p)
	}
	d.Size += int64(len(p))

	// The second digest shares the MD5.
	if d.next != nil {
		d.next.hash.Write(p)
		d.next.Size = d.Size
	}
	return len(p), nil
}

// Sum returns the checksum of the bytes that were written.
func (d *Digest) Sum() Sum {
	return Sum{d.kind, base64.StdEncoding.EncodeToString(d.hash.Sum(nil)), FullObject}
}
