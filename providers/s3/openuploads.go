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
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
	"github.com/omnibucket/storage/providers/s3/internal/option"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// ListParts returns one page of the parts of an upload, with one ListParts.
func (d *objectDriver) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	input := &awss3.ListPartsInput{
		Bucket:   &d.bucket.name,
		Key:      &r.Key,
		UploadId: &r.Upload,
		MaxParts: aws.Int32(int32(r.Limit)),
	}
	// The page begins after this part.
	if r.After > 0 {
		input.PartNumberMarker = aws.String(strconv.Itoa(r.After))
	}
	option.SetCustomerKey(customerkey.In(r.Native), input, "")

	output, err := d.account.client.ListParts(ctx, input)
	if err != nil {
		if s3error.IsCode(err, "NoSuchUpload", "NoSuchKey") {
			// Callers of ListParts expect this code for an upload that does not exist.
			storageErr := s3error.Translate(err)
			storageErr.Code = storage.ObjectNotFound
			return nil, storageErr
		}
		return nil, uploadError(err)
	}

	page := &driver.PartPage{More: aws.ToBool(output.IsTruncated)}
	for _, part := range output.Parts {
		page.Parts = append(page.Parts, driver.Part{
			Number: int(aws.ToInt32(part.PartNumber)),
			Tag:    aws.ToString(part.ETag),
			Size:   aws.ToInt64(part.Size),
			CRC32C: attributes.CRC32C(part.ChecksumCRC32C, ""),
		})
	}
	return page, nil
}

// ListUploads sends one ListMultipartUploads. If a key has a control character, the response is not
// valid XML, and ListUploads sends a second request that asks for escaped keys.
//
// The first request does not ask for them because of a bug in Ceph. It would escape the keys
// without saying so in the response, and would not escape NextKeyMarker
// (https://github.com/ceph/ceph/pull/30993).
func (d *objectDriver) ListUploads(ctx context.Context, r *driver.ListUploadsRequest) (*driver.UploadPage, error) {
	key, upload, err := pagetoken.Parse(r.Token)
	if err != nil {
		return nil, err
	}
	input := &awss3.ListMultipartUploadsInput{
		Bucket:         &d.bucket.name,
		Prefix:         httpheader.Optional(r.Prefix),
		MaxUploads:     aws.Int32(int32(r.Limit)),
		KeyMarker:      httpheader.Optional(key),
		UploadIdMarker: httpheader.Optional(upload),
	}

	output, err := d.account.client.ListMultipartUploads(ctx, input)
	_, isInvalidXML := errors.AsType[*xml.SyntaxError](err)
	if isInvalidXML {
		input.EncodingType = types.EncodingTypeUrl
		output, err = d.account.client.ListMultipartUploads(ctx, input)
	}
	if err != nil {
		return nil, uploadError(err)
	}
	isEscaped := input.EncodingType != ""
	if isEscaped {
		if err := unescapeUploads(output); err != nil {
			return nil, err
		}
	}

	page := &driver.UploadPage{}
	for _, u := range output.Uploads {
		page.Uploads = append(page.Uploads, storage.UploadEntry{
			Key:    aws.ToString(u.Key),
			Upload: aws.ToString(u.UploadId),
			Begun:  aws.ToTime(u.Initiated),
		})
	}
	if aws.ToBool(output.IsTruncated) {
		page.Token = pagetoken.Encode(aws.ToString(output.NextKeyMarker), aws.ToString(output.NextUploadIdMarker))
	}
	return page, nil
}

// unescapeUploads unescapes the keys of a page that was requested with escaped keys. The marker of
// the next page is escaped only if the response says so.
func unescapeUploads(output *awss3.ListMultipartUploadsOutput) error {
	var errs error // of all keys
	unescape := func(key *string) *string {
		text, err := url.QueryUnescape(aws.ToString(key))
		errs = errors.Join(errs, err)
		return &text
	}

	for i := range output.Uploads {
		output.Uploads[i].Key = unescape(output.Uploads[i].Key)
	}
	if output.NextKeyMarker != nil && output.EncodingType == types.EncodingTypeUrl {
		output.NextKeyMarker = unescape(output.NextKeyMarker)
	}
	if errs != nil {
		return &storage.Error{Code: storage.Internal, Err: errs}
	}
	return nil
}
