package engine

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/scope"
)

func (u *multipartUpload) SignPart(ctx context.Context, number int, opts ...storage.SignedPartOption) (*storage.SignedURL, error) {
	o := &operation{signs: true}
	p := &storage.PartOptions{}
	e := u.prepare(o, scope.Upload|scope.SignUpload, "SignPart")
	o.writes = false
	if e == nil {
		e = u.checkSignedPart(o, number, p, opts)
	}
	r := &driver.SignPartRequest{
		Key: u.put.Key, Upload: u.record.Upload, Number: number, TTL: cmp.Or(p.TTL, defaultTTL),
		BaseURL: o.core.signingBaseURL, Size: p.Size, CRC32C: p.CRC32C, Native: u.put.Native,
	}
	return run(ctx, o, e, func(ctx context.Context) (*storage.SignedURL, *storage.Error) {
		signed, e := request(ctx, o, func(ctx context.Context) (*storage.SignedURL, error) { return o.core.driver.SignPart(ctx, r) })
		if e == nil {
			signed.ExpiresAt = signed.ExpiresAt.UTC().Truncate(time.Second)
			signed.Method = cmp.Or(signed.Method, http.MethodPut)
		}
		return signed, e
	})
}

func (u *multipartUpload) checkSignedPart(o *operation, number int, p *storage.PartOptions, opts []storage.SignedPartOption) *storage.Error {
	if err := p.ApplySigned(opts...); err != nil {
		return ownError(err)
	}
	if e := o.core.needSigning(storage.SignedURLs|storage.SignedParts, "SignPart"); e != nil {
		return e
	}
	if e := u.checkPart(number, p.Size); e != nil {
		return e
	}
	switch {
	case p.Size >= 0 && !o.core.has(storage.SignedSize):
		return o.core.need(storage.SignedSize, "WithSize on a signed part")
	case !p.CRC32C.Known && !u.put.UncheckedParts:
		return invalid("WithCRC32C", "must be given: the upload was begun without WithUncheckedParts")
	case p.CRC32C.Known && u.put.UncheckedParts:
		return invalid("WithCRC32C", "must not be given: the upload was begun WithUncheckedParts")
	case p.CRC32C.Known && !o.core.has(storage.SignedPartChecksums):
		e := o.core.need(storage.SignedPartChecksums, "WithCRC32C on a signed part")
		e.Hint = "begin the upload WithUncheckedParts"
		return e
	}
	return nil
}
