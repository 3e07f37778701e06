package s3probe

import (
	"context"
	"io"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
)

const maxText = 1 << 20 // largest number of bytes of an object that are read

// put stores an object with one request, after the prefix of the probe. A condition without fields is
// none.
func (p *probe) put(ctx context.Context, key, text string, condition storage.Condition) (*storage.Attrs, error) {
	return p.putRequest(ctx, p.newPut(key, text, condition))
}

// newPut returns a put of an object with the text and its CRC32C.
func (p *probe) newPut(key, text string, condition storage.Condition) *driver.PutRequest {
	return &driver.PutRequest{
		Key:  p.prefix + key,
		Body: strings.NewReader(text),
		Size: int64(len(text)),
		Properties: storage.Properties{
			ContentType: "text/plain",
		},
		Condition: condition,
		CRC32C:    storage.CRC32C{Sum: crc32c.Sum([]byte(text)), Known: true},
	}
}

// putRequest sends a put. If it repeats the put, it sends the body from the start again.
func (p *probe) putRequest(ctx context.Context, r *driver.PutRequest) (attrs *storage.Attrs, err error) {
	err = retry(ctx, func() error {
		// The body is a strings.Reader, so Seek does not fail.
		_, _ = r.Body.(io.Seeker).Seek(0, io.SeekStart)
		attrs, err = p.driver.Put(ctx, r)
		return err
	})
	return attrs, err
}

func (p *probe) head(ctx context.Context, key string) (*storage.Attrs, error) {
	return p.driver.Head(ctx, &driver.GetRequest{Key: p.prefix + key, Length: -1})
}

// read returns the content of an object, of which it reads at most maxText bytes.
func (p *probe) read(ctx context.Context, key string) (text string, err error) {
	err = retry(ctx, func() error {
		_, body, err := p.driver.Get(ctx, &driver.GetRequest{Key: p.prefix + key, Length: -1})
		if err != nil {
			return err
		}
		defer body.Close()
		content, err := io.ReadAll(io.LimitReader(body, maxText))
		text = string(content)
		return err
	})
	return text, err
}

// upload stores an object by a multipart upload of one part, which may be small because it is the
// last. r has the checksum of the object.
func (p *probe) upload(ctx context.Context, r *driver.PutRequest, text string) (*storage.Attrs, error) {
	complete, err := p.prepareUpload(ctx, r, textPart(text))
	if err != nil {
		return nil, err
	}
	return complete()
}

// textPart returns a function for prepareUpload, which makes a part with the text and a new body
// each time.
func textPart(text string) func() *driver.PartRequest {
	return func() *driver.PartRequest {
		return &driver.PartRequest{
			Body:   strings.NewReader(text),
			CRC32C: storage.CRC32C{Sum: crc32c.Sum([]byte(text)), Known: true},
		}
	}
}

// prepareUpload begins an upload and sends its only part, which newPart makes without the fields
// that name its place in the upload. The result completes the upload, and may be called several
// times. If no call succeeds, removeAll aborts the upload.
func (p *probe) prepareUpload(
	ctx context.Context, r *driver.PutRequest, newPart func() *driver.PartRequest,
) (func() (*storage.Attrs, error), error) {
	upload, err := p.driver.BeginParts(ctx, r)
	if err != nil {
		return nil, err
	}
	// removeAll aborts the uploads that are stored here.
	p.uploads.Store(upload, r.Key)

	// Each attempt has a new request, because the one before has read the body.
	var part driver.Part
	err = retry(ctx, func() (err error) {
		req := newPart()
		req.Key = r.Key
		req.Upload = upload
		req.Number = 1
		req.Size = r.Size
		part, err = p.driver.PutPart(ctx, req)
		return err
	})
	if err != nil {
		return nil, err
	}

	complete := func() (*storage.Attrs, error) {
		req := &driver.CompleteRequest{Put: r, Upload: upload, Parts: []driver.Part{part}}
		attrs, err := p.driver.CompleteParts(ctx, req)
		if err == nil {
			p.uploads.Delete(upload)
		}
		return attrs, err
	}
	return complete, nil
}

// copy copies the object "source" to a key, on the server. It fails if the source does not have the
// given revision.
func (p *probe) copy(ctx context.Context, revision, key string, condition storage.Condition) error {
	_, err := p.driver.Copy(ctx, &driver.CopyRequest{
		Source:     p.source(revision),
		Key:        p.prefix + key,
		Condition:  condition,
		Properties: storage.Properties{ContentType: "text/plain"},
	})
	return err
}

// source returns the reference of the object that the checks copy. Its key ends in "source".
func (p *probe) source(revision string) driver.ObjectRef {
	source := p.driver.Locate(p.prefix + "source")
	source.Revision = revision
	return source
}

// deleteBatch removes objects with one request, and returns the first error that the response has
// for an object.
func (p *probe) deleteBatch(ctx context.Context, keys ...string) error {
	return retry(ctx, func() error {
		var requests []driver.DeleteRequest
		for _, key := range keys {
			requests = append(requests, driver.DeleteRequest{Key: p.prefix + key})
		}
		for _, err := range p.driver.DeleteBatch(ctx, requests) {
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// listNames lists the objects of checkOrder under a prefix, and returns their names after "order/"
// and the number of pages. It stops after more pages than there are objects, in case the server
// returns a token forever.
func (p *probe) listNames(
	ctx context.Context, prefix, delimiter string, limit int,
) (names []string, pages int, err error) {
	token := ""
	for {
		page, err := p.driver.List(ctx, &driver.ListRequest{
			Prefix:    p.prefix + prefix,
			Delimiter: delimiter,
			Token:     token,
			Limit:     limit,
		})
		if err != nil {
			return nil, pages, err
		}
		pages++
		for _, entry := range page.Entries {
			names = append(names, strings.TrimPrefix(entry.Key, p.prefix+"order/"))
		}
		token = page.Token
		isLast := token == ""
		if isLast || pages > len(orderNames) {
			return names, pages, nil
		}
	}
}
