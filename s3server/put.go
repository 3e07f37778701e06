package s3server

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// putObject stores a body. It checks the condition under a lock, after the body has
// come, so that one of many creators wins.
func putObject(r *request) error {
	condition, err := writeConditionOf(r.in.Header)
	if err != nil {
		return err
	}
	o, err := newObject(r, r.in.Header)
	if err != nil {
		return err
	}
	p, err := r.expectBody()
	if err != nil {
		return err
	}
	if err := r.needChecksum(p, o.Lock, "Object"); err != nil {
		return err
	}
	v, err := put(r, o, p, condition)
	if err != nil {
		return err
	}
	header := r.w.Header()
	header.Set("Etag", v.Object.ETag)
	v.Object.Sum.Write(header)
	return r.done(http.StatusOK)
}

// newObject returns an object without bytes. It fails if there is no bucket, or if the
// bucket refuses the access control list or the lock.
func newObject(r *request, header http.Header) (*state.Object, error) {
	o, err := &state.Object{}, error(nil)
	if o.Lock, err = readLock(r.server, header); err != nil {
		return nil, err
	}
	var rule *state.EncryptionRule
	err = r.view(func(b *state.Bucket) error {
		rule = b.Encryption
		o.Account = b.OwnerOfNew(r.caller.account, header.Get("X-Amz-Acl"))
		var err error
		if o.ACL, err = newObjectACL(r.server, header, o.Account, b); err != nil {
			return err
		}
		checked := *o
		return b.LockNew(&checked, r.server.now())
	})
	if err != nil {
		return nil, err
	}
	if o.Encryption, err = readEncryption(r, header, rule); err != nil {
		return nil, err
	}
	o.Properties, err = readProperties(r.server, header)
	return o, err
}

// put makes an object of the request's body. The condition is checked after the body has come.
func put(r *request, o *state.Object, p *expectedBody, c state.WriteCondition) (*state.Version, error) {
	b, err := r.openBody(p, r.server.limits.MaxPutSize)
	if err != nil {
		return nil, err
	}
	v, shown, err := r.server.store.Put(r.in.Context(), r.write(o, c), b)
	if err != nil {
		return nil, b.Blame(err)
	}
	return written(r, v, shown), nil
}

func (r *request) write(o *state.Object, c state.WriteCondition) *state.Write {
	return &state.Write{Bucket: r.target.bucket, Key: r.target.key, Object: *o, Condition: c}
}

// written adds the headers that all responses to a write have.
func written(r *request, v *state.Version, shown string) *state.Version {
	r.showID(shown)
	v.Object.Encryption.Write(r.w.Header())
	showExpiration(r, v)
	r.note(v, shown)
	return v
}

// showID adds the id of a version to the response, if the bucket has ever kept versions.
func (r *request) showID(shown string) {
	if shown != "" {
		r.w.Header().Set("X-Amz-Version-Id", shown)
	}
}

const (
	metadataPrefix = "X-Amz-Meta-"
	maxHeaders     = 8 << 10 // bytes of a request's headers
)

var storageClasses = []string{
	state.Standard, "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR",
}

// readProperties reads the properties from the headers of a request.
func readProperties(h *Handler, header http.Header) (state.Properties, error) {
	p := state.Properties{Header: http.Header{}, Class: header.Get("X-Amz-Storage-Class")}
	if p.Class == "" {
		p.Class = state.Standard
	}
	if !slices.Contains(storageClasses, p.Class) {
		return p, s3error.New("InvalidStorageClass", "StorageClassRequested", p.Class)
	}
	for _, name := range state.SystemHeaders {
		if value := header.Get(name); value != "" {
			p.Header.Set(name, value)
		}
	}
	p.KeepEncoding(strings.Join(header.Values("Content-Encoding"), ","))
	if p.Header.Get("Content-Type") == "" {
		p.Header.Set("Content-Type", "binary/octet-stream")
	}
	if err := readMetadata(h, header, p.Header); err != nil {
		return p, err
	}
	var err error
	p.Tags, err = tagging.ReadHeader(header.Get("X-Amz-Tagging"))
	return p, err
}

// readMetadata reads the user metadata. S3 returns the names in lower case, and net/http would
// write those that [http.Header.Set] has set otherwise.
func readMetadata(h *Handler, from, to http.Header) error {
	total, all := 0, 0
	for name, values := range from {
		value := strings.Join(values, ",")
		all += len(name) + len(value)
		if !strings.HasPrefix(name, metadataPrefix) {
			continue
		}
		total += len(name) - len(metadataPrefix) + len(value)
		to[strings.ToLower(name)] = []string{mailSafe(value)}
	}
	if total > h.limits.MaxMetadata {
		return s3error.New("MetadataTooLarge", "Size", strconv.Itoa(total), "MaxSizeAllowed", strconv.Itoa(h.limits.MaxMetadata))
	}
	if all > maxHeaders {
		return s3error.New("RequestHeaderSectionTooLarge", "MaxSizeAllowed", strconv.Itoa(maxHeaders))
	}
	return nil
}

// mailSafe returns a value as S3 returns it: if it is not ASCII, as an encoded word of
// RFC 2047.
func mailSafe(value string) string {
	for i := range len(value) {
		if value[i] >= 0x80 {
			return mime.BEncoding.Encode("UTF-8", value)
		}
	}
	return value
}
