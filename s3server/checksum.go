package s3server

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

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// A checksumKind is one of S3's algorithms.
type checksumKind struct {
	name      string // "CRC32C"
	header    string // "X-Amz-Checksum-Crc32c"
	make      func() hash.Hash
	full      bool // can cover a whole multipart object
	composite bool // can cover the checksums of the parts
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var checksumKinds = []*checksumKind{
	{"CRC32", "X-Amz-Checksum-Crc32", func() hash.Hash { return crc32.NewIEEE() }, true, true},
	{"CRC32C", "X-Amz-Checksum-Crc32c", func() hash.Hash { return crc32.New(castagnoli) }, true, true},
	{"CRC64NVME", "X-Amz-Checksum-Crc64nvme", newCRC64NVME, true, false},
	{"SHA1", "X-Amz-Checksum-Sha1", sha1.New, false, true},
	{"SHA256", "X-Amz-Checksum-Sha256", sha256.New, false, true},
	{"SHA512", "X-Amz-Checksum-Sha512", sha512.New, false, true},
	{"MD5", "X-Amz-Checksum-Md5", md5.New, false, true},
}

// missingKinds are the algorithms of S3 that this server lacks: the standard library has no
// xxHash.
var missingKinds = []string{"XXHASH64", "XXHASH3", "XXHASH128"}

const (
	checksumPrefix     = "X-Amz-Checksum-"
	algorithmHeader    = checksumPrefix + "Algorithm"
	typeHeader         = checksumPrefix + "Type"
	sdkAlgorithmHeader = "X-Amz-Sdk-Checksum-Algorithm"
)

// checksumParameters are the headers with the prefix of a checksum that are none.
var checksumParameters = []string{algorithmHeader, checksumPrefix + "Mode", typeHeader}

// defaultChecksum is computed if the client asks for none.
var defaultChecksum = checksumKinds[2]

const (
	fullObject = "FULL_OBJECT"
	composite  = "COMPOSITE"
)

// A checksum is stored with an object or a part.
type checksum struct {
	kind   *checksumKind // nil without one
	value  string        // in base64, with "-N" if it is composite
	covers string
}

func kindByName(name string) *checksumKind {
	for _, kind := range checksumKinds {
		if strings.EqualFold(kind.name, name) {
			return kind
		}
	}
	return nil
}

func kindByHeader(name string) *checksumKind {
	for _, kind := range checksumKinds {
		if strings.EqualFold(kind.header, name) {
			return kind
		}
	}
	return nil
}

func (k *checksumKind) label() string { return strings.ToLower(k.name) }

func (k *checksumKind) valid(value string) bool {
	raw, err := base64.StdEncoding.DecodeString(value)
	return err == nil && len(raw) == k.make().Size()
}

// missingKind returns NotImplemented if a name, with or without the prefix of a header, is that of
// an algorithm that this server lacks.
func missingKind(name string) error {
	for _, missing := range missingKinds {
		if strings.EqualFold(name, missing) || strings.EqualFold(name, checksumPrefix+missing) {
			return s3error.New("NotImplemented", "Header", strings.ToLower(checksumPrefix+missing))
		}
	}
	return nil
}

// headerChecksum returns the checksum in a request's headers, or one with a nil kind. It fails if
// an algorithm is unknown.
func headerChecksum(header http.Header) (checksum, error) {
	var found checksum
	for name, values := range header {
		if !strings.HasPrefix(name, checksumPrefix) || slices.Contains(checksumParameters, name) {
			continue
		}
		if err := missingKind(name); err != nil {
			return checksum{}, err
		}
		kind := kindByHeader(name)
		if kind == nil {
			return checksum{}, s3error.New("InvalidRequest").WithMessage("The algorithm type you specified in x-amz-checksum- header is invalid.")
		}
		if found.kind != nil || len(values) > 1 {
			return checksum{}, multipleChecksums()
		}
		found = checksum{kind: kind, value: values[0], covers: fullObject}
	}
	return found, nil
}

func multipleChecksums() *s3error.Error {
	return s3error.New("InvalidRequest").WithMessage("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
}

// announcedChecksum returns the kind of the checksum in the announced trailers, or nil. It fails
// if a trailer is anything but a checksum.
func announcedChecksum(trailers []string) (found *checksumKind, err error) {
	for _, name := range trailers {
		if err := missingKind(name); err != nil {
			return nil, err
		}
		kind := kindByHeader(name)
		switch {
		case kind == nil:
			return nil, s3error.New("InvalidRequest").WithMessage("The value specified in the x-amz-trailer header is not supported")
		case found != nil:
			return nil, multipleChecksums()
		}
		found = kind
	}
	return found, nil
}

// kindNamed returns the kind that x-amz-checksum-algorithm names.
func kindNamed(name string) (*checksumKind, error) {
	if err := missingKind(name); err != nil {
		return nil, err
	}
	if kind := kindByName(name); kind != nil {
		return kind, nil
	}
	var names []string
	for _, kind := range checksumKinds {
		names = append(names, kind.name)
	}
	return nil, s3error.New("InvalidRequest").WithMessage("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [%s]", strings.Join(names, ", "))
}

// write adds the checksum to the headers of a response.
func (c checksum) write(header http.Header) {
	if c.kind != nil {
		header.Set(c.kind.header, c.value)
		header.Set("X-Amz-Checksum-Type", c.covers)
	}
}

// algorithm returns S3's name of the algorithm, or "".
func (c checksum) algorithm() string {
	if c.kind == nil {
		return ""
	}
	return c.kind.name
}

// compositeOf returns the checksum of the parts' checksums.
func compositeOf(kind *checksumKind, parts []*part) checksum {
	h := kind.make()
	for _, p := range parts {
		raw, _ := base64.StdEncoding.DecodeString(p.sum.value)
		h.Write(raw)
	}
	value := base64.StdEncoding.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts))
	return checksum{kind, value, composite}
}

// A digest computes what an upload needs while its bytes pass.
type digest struct {
	md5    hash.Hash
	sha256 hash.Hash // nil if not needed
	kind   *checksumKind
	sum    hash.Hash
	size   int64
}

func newDigest(kind *checksumKind, withSHA256 bool) *digest {
	d := &digest{md5: md5.New(), kind: kind, sum: kind.make()}
	if withSHA256 {
		d.sha256 = sha256.New()
	}
	return d
}

func (d *digest) Write(p []byte) (int, error) {
	d.md5.Write(p)
	d.sum.Write(p)
	if d.sha256 != nil {
		d.sha256.Write(p)
	}
	d.size += int64(len(p))
	return len(p), nil
}

func (d *digest) checksum() checksum {
	return checksum{d.kind, base64.StdEncoding.EncodeToString(d.sum.Sum(nil)), fullObject}
}
