package s3probe

import (
	"context"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
)

// uploadNames are the keys of the uploads that checkUploads begins.
var uploadNames = []string{"uploads/a", "uploads/b", "uploads/b"}

// checkUploads checks that a listing by prefix shows the uploads in progress until they are
// aborted. Otherwise nobody could find the uploads that a crash has left.
//
// It requests only one page, because some servers, such as versitygw, fail at the second page but
// do not hide uploads.
func checkUploads(ctx context.Context, p *probe) (Verdict, string) {
	names := map[string]string{} // by the id of the upload
	for _, name := range uploadNames {
		upload, err := p.driver.BeginParts(ctx, p.newPut(name, "", storage.Condition{}))
		if err != nil {
			return inconclusive("beginning an upload", err)
		}
		names[upload] = name
		p.uploads.Store(upload, p.prefix+name)
	}

	abortUploads := func() (Verdict, string) {
		for upload, name := range names {
			if err := p.driver.AbortParts(ctx, p.prefix+name, upload); err != nil {
				return inconclusive("aborting an upload", err)
			}
			p.uploads.Delete(upload)
		}
		return Enforced, ""
	}
	return runSteps(
		p.expectUploads(ctx, uploadNames, "the listing omits uploads in progress"),
		abortUploads,
		p.expectUploads(ctx, nil, "the listing has uploads that were aborted"),
	)
}

// expectUploads returns a step that expects the listing of uploads in progress to have the names in
// want. If it has others, the detail of the verdict is failureDetail.
func (p *probe) expectUploads(ctx context.Context, want []string, failureDetail string) step {
	return func() (Verdict, string) {
		names, err := p.listUploads(ctx)
		if err != nil {
			return inconclusive("listing uploads", err)
		}
		if !slices.Equal(names, want) {
			return Ignored, failureDetail
		}
		return Enforced, ""
	}
}

// checkTrailer sends parts whose checksum follows their bytes in a trailer. A server that ignores
// the trailer stores the frames around the bytes, too, and returns no checksum.
func checkTrailer(ctx context.Context, p *probe) (Verdict, string) {
	if !p.driver.Describe().PartChecksumWhileSending {
		return Inconclusive, "only over TLS, with a checked CRC32C and without an HTTP client of your own"
	}

	const text = "0123456789"
	correctSum := crc32c.Sum([]byte(text))
	uploadWrongSum := func() error { return p.uploadWithTrailer(ctx, text, correctSum+1) }
	uploadCorrectSum := func() (Verdict, string) {
		err := p.uploadWithTrailer(ctx, text, correctSum)
		if storage.CodeOf(err) == storage.ChecksumMismatch {
			return Ignored, "the right checksum was not returned"
		}
		if err != nil {
			return inconclusive("a part with the right checksum", err)
		}
		return Enforced, ""
	}
	return runSteps(
		expectFailure("a part with a wrong checksum", "a part with a wrong checksum was stored",
			uploadWrongSum, storage.ChecksumMismatch),
		p.expectNoObject(ctx, "trailer"),
		uploadCorrectSum,
		p.expectObject(ctx, "trailer", text),
	)
}

// uploadWithTrailer stores the object "trailer" by an upload of one part. The part's checksum is sum,
// which becomes known only when its body was read, so the driver sends it in a trailer.
func (p *probe) uploadWithTrailer(ctx context.Context, text string, sum uint32) error {
	newPart := func() *driver.PartRequest {
		r := &driver.PartRequest{}
		r.Body = &summedBody{Reader: strings.NewReader(text), request: r, sum: sum}
		return r
	}
	complete, err := p.prepareUpload(ctx, p.newPut("trailer", text, storage.Condition{}), newPart)
	if err != nil {
		return err
	}
	_, err = complete()
	return err
}

// A summedBody sets the checksum of its request when its last byte was read.
type summedBody struct {
	*strings.Reader
	request *driver.PartRequest
	sum     uint32
}

// Read reads the body, and sets the checksum in the request once no bytes are left.
func (b *summedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.Len() == 0 {
		b.request.CRC32C = storage.CRC32C{Sum: b.sum, Known: true}
	}
	return n, err
}

// listUploads returns the sorted keys of the uploads in progress, without the prefix of the probe.
// It reads one page only.
func (p *probe) listUploads(ctx context.Context) (names []string, err error) {
	page, err := p.driver.ListUploads(ctx, &driver.ListUploadsRequest{Prefix: p.prefix + "uploads/", Limit: maxPage})
	if err != nil {
		return nil, err
	}
	for _, entry := range page.Uploads {
		names = append(names, strings.TrimPrefix(entry.Key, p.prefix))
	}
	slices.Sort(names)
	return names, nil
}
