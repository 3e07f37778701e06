package s3

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
)

// ListParts sends one ListParts.
func (d *driver) ListParts(ctx context.Context, r *storage.ListPartsRequest) (*storage.PartPage, error) {
	in := &awss3.ListPartsInput{Bucket: d.name(), Key: &r.Key, UploadId: &r.Upload, MaxParts: aws.Int32(int32(r.Limit))}
	if r.After > 0 {
		in.PartNumberMarker = aws.String(strconv.Itoa(r.After))
	}
	for _, value := range r.Native {
		if k, is := value.(*customerKey); is {
			k.set(customerFields{&in.SSECustomerAlgorithm, &in.SSECustomerKey, &in.SSECustomerKeyMD5})
		}
	}
	out, err := d.client.ListParts(ctx, in)
	if isCode(err, "NoSuchUpload", "NoSuchKey") {
		e := translate(err)
		e.Code = storage.ObjectNotFound
		return nil, e
	}
	if err != nil {
		return nil, d.uploadError(err)
	}
	page := &storage.PartPage{More: aws.ToBool(out.IsTruncated)}
	for _, part := range out.Parts {
		page.Parts = append(page.Parts, storage.Part{
			Number: int(aws.ToInt32(part.PartNumber)),
			Tag:    aws.ToString(part.ETag),
			Size:   aws.ToInt64(part.Size),
			CRC32C: fullObjectCRC(part.ChecksumCRC32C, ""),
		})
	}
	return page, nil
}

// An uploadMarker is where the next page of ListUploads begins.
type uploadMarker struct {
	Key    *string `json:"k"`
	Upload *string `json:"u"`
}

// ListUploads sends one ListMultipartUploads. It asks for escaped keys, as List does: nobody could
// read a page with a control character, or find the uploads after it.
func (d *driver) ListUploads(ctx context.Context, r *storage.ListUploadsRequest) (*storage.UploadPage, error) {
	in := &awss3.ListMultipartUploadsInput{Bucket: d.name(), MaxUploads: aws.Int32(int32(r.Limit)), EncodingType: types.EncodingTypeUrl}
	if r.Prefix != "" {
		in.Prefix = &r.Prefix
	}
	if r.Token != "" {
		var after uploadMarker
		if json.Unmarshal([]byte(r.Token), &after) != nil {
			return nil, storage.InvalidArgument
		}
		in.KeyMarker, in.UploadIdMarker = after.Key, after.Upload
	}
	out, err := d.client.ListMultipartUploads(ctx, in)
	if err != nil {
		return nil, d.uploadError(err)
	}
	unescape := func(key *string) *string {
		if key == nil || out.EncodingType != types.EncodingTypeUrl { // some servers ignore the request
			return key
		}
		plain, failed := url.QueryUnescape(*key)
		if failed != nil {
			err = &storage.Error{Code: storage.Internal, Err: failed}
		}
		return &plain
	}
	page := &storage.UploadPage{}
	for _, u := range out.Uploads {
		page.Uploads = append(page.Uploads, storage.UploadEntry{Key: aws.ToString(unescape(u.Key)), Upload: aws.ToString(u.UploadId), Begun: aws.ToTime(u.Initiated)})
	}
	if aws.ToBool(out.IsTruncated) {
		token, _ := json.Marshal(uploadMarker{unescape(out.NextKeyMarker), out.NextUploadIdMarker}) // texts: never fails
		page.Token = string(token)
	}
	if err != nil {
		return nil, err
	}
	return page, nil
}
