package azure

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/hexid"
	"github.com/omnibucket/storage/providers/internal/components"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

type componentUploads struct {
	objects   driver.Driver
	container *blobContainer
	lister    *lister
	copier    *copier
	replaces  atomic.Bool // true if checkReplaces has found that blobs can be replaced
}

// begin stores the marker of an open upload to key, and returns the name of the upload.
func (cu *componentUploads) begin(ctx context.Context, key string) (string, error) {
	// The name has an id and a secret (see openUploads).
	const idBytes, secretBytes = 16, 16
	upload := hexid.New(idBytes) + "-" + hexid.New(secretBytes)
	u, err := parseOpenUpload(upload)
	if err != nil {
		return "", err
	}
	if err := cu.checkReplaces(ctx); err != nil {
		return "", err
	}

	_, err = cu.objects.Put(ctx, &driver.PutRequest{
		Key:        u.marker(),
		Body:       bytes.NewReader(nil),
		Properties: storage.Properties{ContentType: components.ContentType, Metadata: components.MarkerMetadata(key)},
		CRC32C:     storage.CRC32C{Sum: 0, Known: true},
	})
	return upload, err
}

var errImmutable = &storage.Error{
	Code: storage.Unsupported,
	Err:  errors.New("the container's immutability policy or legal hold keeps blobs from being replaced"),
	Hint: "an open upload replaces and removes blobs of its own: use Upload, or a container with version-level immutability",
}

// checkReplaces returns errImmutable if a policy or a legal hold of the container forbids replacing
// blobs, which an open upload must do. Without this check, the upload would fail only after its
// parts were sent.
// https://learn.microsoft.com/azure/storage/blobs/immutable-container-level-worm-policies
func (cu *componentUploads) checkReplaces(ctx context.Context) error {
	if cu.replaces.Load() {
		// An earlier call has found that blobs can be replaced.
		return nil
	}
	p, err := cu.container.containerProperties(ctx)
	if err != nil {
		return err
	}
	if p == nil {
		// The credential may not read the properties, so begin the upload without the check.
		return nil
	}
	isLocked := deref(p.HasImmutabilityPolicy) || deref(p.HasLegalHold)
	if isLocked && !deref(p.IsImmutableStorageWithVersioningEnabled) {
		// Without versions, the lock is on the blobs themselves.
		return errImmutable
	}
	cu.replaces.Store(true)
	return nil
}

// ListUploads lists the prefixes of open uploads, and reads the entry of each. Uncommitted blocks are not
// listed, because they belong to no open upload and end after a week.
func (d *objectDriver) ListUploads(ctx context.Context, r *driver.ListUploadsRequest) (*driver.UploadPage, error) {
	_, prefixes, marker, err := d.lister.page(ctx, "/", &container.ListBlobsHierarchyOptions{
		Prefix:     new(componentsPrefix),
		Marker:     httpheader.Optional(r.Token),
		MaxResults: new(int32(min(r.Limit, maxPage))),
	})
	if err != nil {
		return nil, d.container.listError(err)
	}

	readEntry := func(ctx context.Context, i int) (*storage.UploadEntry, error) {
		// The name of an upload is the segment of the prefix after componentsPrefix.
		name := strings.TrimPrefix(deref(prefixes[i].Name), componentsPrefix)
		return d.uploads.entry(ctx, strings.TrimSuffix(name, "/"))
	}
	uploads, err := components.Uploads(ctx, len(prefixes), r.Prefix, readEntry)
	if err != nil {
		return nil, err
	}
	return &driver.UploadPage{Uploads: uploads, Token: marker}, nil
}

// entry returns the entry of an open upload, or nil if there is no such upload any more. The marker, the
// first blob of an upload, has the key in its metadata. Without a marker, the prefix stands for the key.
func (cu *componentUploads) entry(ctx context.Context, upload string) (*storage.UploadEntry, error) {
	u, err := parseOpenUpload(upload)
	if err != nil {
		// A name that is not from this package is no open upload.
		return nil, nil
	}

	items, _, _, err := cu.lister.page(ctx, "", &container.ListBlobsHierarchyOptions{
		Include:    container.ListBlobsInclude{Metadata: true},
		Prefix:     new(u.prefix),
		MaxResults: new(int32(1)),
	})
	if err != nil {
		return nil, cu.container.listError(err)
	}
	if len(items) == 0 || items[0].Properties == nil {
		return nil, nil
	}

	first := items[0]
	entry := &storage.UploadEntry{
		Key:    strings.TrimSuffix(u.prefix, "/"),
		Upload: upload,
		Begun:  wholeSeconds(first.Properties.LastModified),
	}
	if deref(first.Name) == u.marker() {
		// decodeMetadata needs the size only for the checksum, which is not used here.
		metadata, _ := decodeMetadata(first.Metadata, 0)
		entry.Key = cmp.Or(components.Key(metadata), entry.Key)
	}
	return entry, nil
}

// ListParts lists the parts of an open upload. Azure lists them after the marker, a blob that the
// driver stored when the upload began. An upload without a marker is no longer open. A later page
// (r.After > 0) has no marker.
func (d *objectDriver) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	u, err := parseOpenUpload(r.Upload)
	if err != nil {
		return nil, err
	}

	// One more blob than the limit has room for the marker, or shows that there are more parts.
	opts := &container.ListBlobsHierarchyOptions{
		Include:    container.ListBlobsInclude{Metadata: true},
		Prefix:     new(u.prefix),
		MaxResults: new(int32(min(r.Limit+1, maxPage))),
	}
	if r.After > 0 {
		opts.StartFrom = new(u.key(r.After + 1))
	}

	page := &driver.PartPage{}
	needsMarker := r.After <= 0 // true for the page of Azure that must have the marker blob
	for {
		items, _, nextMarker, err := d.lister.page(ctx, "", opts)
		if err != nil {
			return nil, d.container.listError(err)
		}

		hasMarker := u.addParts(page, items, r.After)
		if needsMarker && !hasMarker {
			return nil, components.ErrEnded
		}
		needsMarker = false
		if len(page.Parts) > r.Limit {
			page.Parts = page.Parts[:r.Limit]
			page.More = true
			return page, nil
		}

		// A server that repeats the marker of a page would never end the listing.
		isRepeated := opts.Marker != nil && *opts.Marker == nextMarker
		if nextMarker == "" || isRepeated {
			return page, nil
		}
		opts.Marker = httpheader.Optional(nextMarker)
		opts.StartFrom = nil
	}
}

// addParts adds to the page the listed parts with numbers greater than after. It reports whether
// items has the blob that marks the upload as open.
func (u *openUpload) addParts(page *driver.PartPage, items []*container.BlobItem, after int) (hasMarker bool) {
	for _, item := range items {
		name := deref(item.Name)
		if name == u.marker() && u.takesParts(item) {
			hasMarker = true
		}
		number, isPart := components.Number(u.prefix, name)
		// A server may ignore StartFrom and list earlier parts, too.
		if isPart && number > after && item.Properties != nil {
			page.Parts = append(page.Parts, u.part(number, item))
		}
	}
	return hasMarker
}
