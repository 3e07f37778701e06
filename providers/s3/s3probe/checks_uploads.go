package s3probe

import (
	"context"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// uploadNames are the keys of the uploads that checkUploads begins.
var uploadNames = []string{"uploads/a", "uploads/b", "uploads/b"}

// checkUploads begins uploads, which a listing by prefix must have until they are aborted.
// Otherwise nobody could find what a crash has left. The listing is of one page: a server that
// fails at the next one, as versitygw does, hides nothing.
func checkUploads(ctx context.Context, p *probe) (Verdict, string) {
	begun := map[string]string{}
	for _, name := range uploadNames {
		upload := ""
		err := retry(ctx, func() (err error) {
			upload, err = p.driver.BeginParts(ctx, p.request(name, "", storage.Condition{}))
			return err
		})
		if err != nil {
			return inconclusive("beginning an upload", err)
		}
		begun[upload] = name
		p.uploads.Store(upload, p.prefix+name)
	}
	return runSteps(
		p.expectUploads(ctx, uploadNames, "the listing omits uploads in progress"),
		func() (Verdict, string) {
			for upload, name := range begun {
				if err := retry(ctx, func() error { return p.driver.AbortParts(ctx, p.prefix+name, upload) }); err != nil {
					return inconclusive("aborting an upload", err)
				}
				p.uploads.Delete(upload)
			}
			return Enforced, ""
		},
		p.expectUploads(ctx, nil, "the listing has uploads that were aborted"),
	)
}

// expectUploads returns a step whose listing must have uploads to these keys.
func (p *probe) expectUploads(ctx context.Context, want []string, otherwise string) step {
	return func() (Verdict, string) {
		names, err := p.listUploads(ctx)
		switch {
		case err != nil:
			return inconclusive("listing uploads", err)
		case !slices.Equal(names, want):
			return Ignored, otherwise
		}
		return Enforced, ""
	}
}

// listUploads lists the uploads under "uploads/", sorted.
func (p *probe) listUploads(ctx context.Context) (names []string, err error) {
	var page *driver.UploadPage
	err = retry(ctx, func() (err error) {
		page, err = p.driver.ListUploads(ctx, &driver.ListUploadsRequest{Prefix: p.prefix + "uploads/", Limit: maxPage})
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, entry := range page.Uploads {
		names = append(names, strings.TrimPrefix(entry.Key, p.prefix))
	}
	slices.Sort(names)
	return names, nil
}
