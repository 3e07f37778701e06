package s3

import (
	"context"
	"encoding/xml"
	"errors"
	"net/url"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/customerkey"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/internal/pagetoken"
)

// ListParts sends one ListParts.
func (d *objectDriver) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	in := &awss3.ListPartsInput{
		Bucket:   &d.bucket.name,
		Key:      &r.Key,
		UploadId: &r.Upload,
		MaxParts: aws.Int32(int32(r.Limit)),
	}
	if r.After > 0 {
		in.PartNumberMarker = aws.String(strconv.Itoa(r.After))
	}
	setCustomerKey(customerkey.In(r.Native), in, "")
	out, err := d.account.client.ListParts(ctx, in)
	if isCode(err, "NoSuchUpload", "NoSuchKey") {
		e := translate(err)
		e.Code = storage.ObjectNotFound
		return nil, e
	}
	if err != nil {
		return nil, uploadError(err)
	}
	page := &driver.PartPage{More: aws.ToBool(out.IsTruncated)}
	for _, part := range out.Parts {
		page.Parts = append(page.Parts, driver.Part{
			Number: int(aws.ToInt32(part.PartNumber)),
			Tag:    aws.ToString(part.ETag),
			Size:   aws.ToInt64(part.Size),
			CRC32C: fullObjectCRC(part.ChecksumCRC32C, ""),
		})
	}
	return page, nil
}

// ListUploads sends one ListMultipartUploads. If a key has a control character, the page is not
// valid XML. ListUploads then sends a second request, which asks the server to escape the keys. The
// first request does not ask for escaped keys, because Ceph has a bug. Ceph would escape the keys,
// but its response would not say so, and NextKeyMarker would not be escaped
// (https://github.com/ceph/ceph/pull/30993).
func (d *objectDriver) ListUploads(ctx context.Context, r *driver.ListUploadsRequest) (*driver.UploadPage, error) {
	key, upload, err := pagetoken.Parse(r.Token)
	if err != nil {
		return nil, err
	}
	in := &awss3.ListMultipartUploadsInput{
		Bucket:         &d.bucket.name,
		Prefix:         httpheader.Optional(r.Prefix),
		MaxUploads:     aws.Int32(int32(r.Limit)),
		KeyMarker:      httpheader.Optional(key),
		UploadIdMarker: httpheader.Optional(upload),
	}
	out, err := d.account.client.ListMultipartUploads(ctx, in)
	if syntax := (*xml.SyntaxError)(nil); errors.As(err, &syntax) {
		in.EncodingType = types.EncodingTypeUrl
		out, err = d.account.client.ListMultipartUploads(ctx, in)
	}
	if err != nil {
		return nil, uploadError(err)
	}
	if in.EncodingType != "" {
		if err := unescapeUploads(out); err != nil {
			return nil, err
		}
	}
	page := &driver.UploadPage{}
	for _, u := range out.Uploads {
		page.Uploads = append(
			page.Uploads,
			storage.UploadEntry{
				Key:    aws.ToString(u.Key),
				Upload: aws.ToString(u.UploadId),
				Begun:  aws.ToTime(u.Initiated),
			},
		)
	}
	if aws.ToBool(out.IsTruncated) {
		page.Token = pagetoken.Encode(aws.ToString(out.NextKeyMarker), aws.ToString(out.NextUploadIdMarker))
	}
	return page, nil
}

func unescapeUploads(out *awss3.ListMultipartUploadsOutput) error {
	var failed error
	unescape := func(key *string) *string {
		plain, err := url.QueryUnescape(aws.ToString(key))
		failed = errors.Join(failed, err)
		return &plain
	}
	for i := range out.Uploads {
		out.Uploads[i].Key = unescape(out.Uploads[i].Key)
	}
	if out.NextKeyMarker != nil && out.EncodingType == types.EncodingTypeUrl {
		out.NextKeyMarker = unescape(out.NextKeyMarker)
	}
	if failed != nil {
		return &storage.Error{Code: storage.Internal, Err: failed}
	}
	return nil
}
