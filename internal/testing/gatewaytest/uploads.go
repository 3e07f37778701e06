package gatewaytest

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// uploads makes the checks of multipart uploads.
func (g *gateway) uploads() {
	g.partsInAnyOrder()
	g.numbersWithGaps()
	g.copiedParts()
	g.refusedParts()
	g.refusedCompletions()
	g.uploadsOfOneKey()
	g.completionsAtOnce()
	g.manyParts()
	g.abortedUploads()
	g.abortBesideCompletion()
	g.completionsOfTwoServers()
	g.lostUploads()
}

// begin begins a multipart upload, and returns its ID. The options change the request.
func (g *gateway) begin(key string, options ...func(*s3.CreateMultipartUploadInput)) *string {
	g.Helper()
	input := &s3.CreateMultipartUploadInput{Bucket: g.bucket, Key: &key}
	for _, o := range options {
		o(input)
	}
	upload, err := g.CreateMultipartUpload(g.Context(), input)
	require.NoError(g, err)
	return upload.UploadId
}

// part stores a part of an upload.
func (g *gateway) part(key string, upload *string, number int32, content string) types.CompletedPart {
	g.Helper()
	part, err := g.tryPart(g.Client, key, *upload, number, content)
	require.NoError(g, err)
	return part
}

// tryPart sends a part of an upload to one of the servers.
func (g *gateway) tryPart(
	server *s3.Client, key, upload string, number int32, content string,
) (types.CompletedPart, error) {
	output, err := server.UploadPart(g.Context(), &s3.UploadPartInput{
		Bucket:     g.bucket,
		Key:        &key,
		UploadId:   &upload,
		PartNumber: &number,
		Body:       strings.NewReader(content),
	})
	if err != nil {
		return types.CompletedPart{}, err
	}
	return types.CompletedPart{
		PartNumber:    &number,
		ETag:          output.ETag,
		ChecksumCRC32: output.ChecksumCRC32,
	}, nil
}

// complete completes an upload with these parts.
func (g *gateway) complete(
	key string, upload *string, parts ...types.CompletedPart,
) (*s3.CompleteMultipartUploadOutput, error) {
	return g.CompleteMultipartUpload(g.Context(), g.completion(key, upload, parts...))
}

// completion returns the request that completes an upload with these parts.
func (g *gateway) completion(
	key string, upload *string, parts ...types.CompletedPart,
) *s3.CompleteMultipartUploadInput {
	return &s3.CompleteMultipartUploadInput{
		Bucket:          g.bucket,
		Key:             &key,
		UploadId:        upload,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}
}

// abort aborts an upload.
func (g *gateway) abort(key string, upload *string) error {
	_, err := g.AbortMultipartUpload(g.Context(), &s3.AbortMultipartUploadInput{
		Bucket:   g.bucket,
		Key:      &key,
		UploadId: upload,
	})
	return err
}

// requireGone requires that the upload no longer exists.
func (g *gateway) requireGone(key string, upload *string) {
	g.Helper()
	_, err := g.ListParts(g.Context(), &s3.ListPartsInput{Bucket: g.bucket, Key: &key, UploadId: upload})
	g.requireError(err, http.StatusNotFound, "NoSuchUpload")
	require.NotContains(g, g.openUploads(), *upload)
}

// openUploads returns the IDs of all open uploads.
func (g *gateway) openUploads() []string {
	g.Helper()
	var ids []string
	pages := s3.NewListMultipartUploadsPaginator(g.Client, &s3.ListMultipartUploadsInput{
		Bucket:     g.bucket,
		MaxUploads: aws.Int32(1),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(g.Context())
		require.NoError(g, err)
		for _, upload := range page.Uploads {
			ids = append(ids, *upload.UploadId)
		}
	}
	return ids
}

// content repeats text 1,024 times. The result is at least 1 KiB long, which is the smallest size
// of a part that is not the last one.
func content(text string) string { return strings.Repeat(text, 1<<10) }

// requireParts lists the parts of an upload in pages of two, and requires that they have the numbers and
// ETags of the given parts.
func (g *gateway) requireParts(key string, upload *string, parts ...types.CompletedPart) {
	g.Helper()
	var listed []types.Part
	pages := s3.NewListPartsPaginator(g.Client, &s3.ListPartsInput{
		Bucket:   g.bucket,
		Key:      aws.String(key),
		UploadId: upload,
		MaxParts: aws.Int32(2),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(g.Context())
		require.NoError(g, err)
		require.LessOrEqual(g, len(page.Parts), 2)
		listed = append(listed, page.Parts...)
	}

	require.Len(g, listed, len(parts))
	for i, part := range parts {
		require.Equal(g, *part.PartNumber, *listed[i].PartNumber)
		require.Equal(g, *part.ETag, *listed[i].ETag)
	}
}

// partsInAnyOrder checks an upload whose parts come in any order, and one of whose parts is
// replaced.
func (g *gateway) partsInAnyOrder() {
	upload := g.begin("large", func(input *s3.CreateMultipartUploadInput) {
		input.ContentType = aws.String("text/x-test")
		input.Metadata = map[string]string{"color": "blue"}
	})
	third := g.part("large", upload, 3, "3")
	replaced := g.part("large", upload, 1, content("old"))
	first := g.part("large", upload, 1, content("1"))
	second := g.part("large", upload, 2, content("2"))
	sum := md5.Sum([]byte(content("1")))
	require.Equal(g, `"`+hex.EncodeToString(sum[:])+`"`, *first.ETag)

	// The parts are listed in pages of two, and the object does not exist yet.
	g.requireParts("large", upload, first, second, third)
	require.Contains(g, g.openUploads(), *upload)
	require.NotContains(g, g.keys(), "large")

	// A completion with the replaced part is refused.
	_, err := g.complete("large", upload, replaced, second, third)
	g.requireError(err, http.StatusBadRequest, "InvalidPart")

	// The object has the attributes of the upload.
	output, err := g.complete("large", upload, first, second, third)
	require.NoError(g, err)
	text, object := g.get("large")
	require.Equal(g, content("1")+content("2")+"3", text)
	require.Equal(g, "text/x-test", *object.ContentType)
	require.Equal(g, "blue", object.Metadata["color"])
	require.Equal(g, *output.ETag, *object.ETag)

	// A completion may be repeated, because its response may be lost.
	again, err := g.complete("large", upload, first, second, third)
	require.NoError(g, err)
	require.Equal(g, *output.ETag, *again.ETag)
	g.requireGone("large", upload)
}

// numbersWithGaps checks uploads whose part numbers have gaps, and whose last or only part is
// empty.
func (g *gateway) numbersWithGaps() {
	upload := g.begin("gaps")
	last := g.part("gaps", upload, 10_000, "")
	first := g.part("gaps", upload, 7, content("7"))
	_, err := g.complete("gaps", upload, first, last)
	require.NoError(g, err)
	text, _ := g.get("gaps")
	require.Equal(g, content("7"), text)

	upload = g.begin("gaps")
	_, err = g.complete("gaps", upload, g.part("gaps", upload, 1, ""))
	require.NoError(g, err)
	text, _ = g.get("gaps")
	require.Empty(g, text)
}

// copiedParts checks an upload with a part that is copied from a range of another object.
func (g *gateway) copiedParts() {
	upload := g.begin("copied")
	output, err := g.UploadPartCopy(g.Context(), &s3.UploadPartCopyInput{
		Bucket:          g.bucket,
		Key:             aws.String("copied"),
		UploadId:        upload,
		PartNumber:      aws.Int32(1),
		CopySource:      aws.String(*g.bucket + "/large"),
		CopySourceRange: aws.String("bytes=0-2047"),
	})
	require.NoError(g, err)
	part := types.CompletedPart{
		PartNumber:    aws.Int32(1),
		ETag:          output.CopyPartResult.ETag,
		ChecksumCRC32: output.CopyPartResult.ChecksumCRC32,
	}

	// A missing source fails.
	_, err = g.UploadPartCopy(g.Context(), &s3.UploadPartCopyInput{
		Bucket:     g.bucket,
		Key:        aws.String("copied"),
		UploadId:   upload,
		PartNumber: aws.Int32(2),
		CopySource: aws.String(*g.bucket + "/missing"),
	})
	g.requireError(err, http.StatusNotFound, "NoSuchKey")

	// The upload can still be completed.
	_, err = g.complete("copied", upload, part, g.part("copied", upload, 2, "end"))
	require.NoError(g, err)
	text, _ := g.get("copied")
	require.Equal(g, content("1")+content("2")+"end", text)
}

// refusedParts checks that the gateway refuses part numbers out of range, and uploads of another
// key.
func (g *gateway) refusedParts() {
	upload := g.begin("refused")
	for _, number := range []int32{-1, 0, 10_001} {
		_, err := g.tryPart(g.Client, "refused", *upload, number, "x")
		g.requireError(err, http.StatusBadRequest, "InvalidArgument")
	}
	for key, id := range map[string]string{"refused": "../" + *upload, "other": *upload, "refused/": *upload} {
		_, err := g.tryPart(g.Client, key, id, 1, "x")
		g.requireError(err, http.StatusNotFound, "NoSuchUpload")
	}
	require.NoError(g, g.abort("refused", upload))
}

// refusedCompletions checks that a completion that fails changes neither the object nor the upload.
func (g *gateway) refusedCompletions() {
	g.put("refused", "old")
	upload := g.begin("refused")
	first := g.part("refused", upload, 1, content("1"))
	small := g.part("refused", upload, 2, "2")
	last := g.part("refused", upload, 3, "3")
	wrongETag := first
	wrongETag.ETag = small.ETag
	missing := last
	missing.PartNumber = aws.Int32(4)

	// A completion with wrong parts fails.
	type parts = []types.CompletedPart
	tests := []struct {
		name  string
		parts parts
		code  string
	}{
		{name: "no parts", parts: nil, code: "MalformedXML"},
		{name: "the ETag of another part", parts: parts{wrongETag, last}, code: "InvalidPart"},
		{name: "a part that is missing", parts: parts{first, missing}, code: "InvalidPart"},
		{name: "a descending order", parts: parts{last, first}, code: "InvalidPartOrder"},
		{name: "a part twice", parts: parts{first, first}, code: "InvalidPartOrder"},
		{name: "a small part that is not a last", parts: parts{first, small, last}, code: "EntityTooSmall"},
	}
	for _, tt := range tests {
		g.Log(tt.name)
		_, err := g.complete("refused", upload, tt.parts...)
		g.requireError(err, http.StatusBadRequest, tt.code)
	}

	// A completion that must create the object fails, because there is one.
	input := g.completion("refused", upload, first, last)
	input.IfNoneMatch = aws.String("*")
	_, err := g.CompleteMultipartUpload(g.Context(), input)
	g.requireError(err, http.StatusPreconditionFailed, "PreconditionFailed")
	text, _ := g.get("refused")
	require.Equal(g, "old", text)

	// The upload can still be completed.
	_, err = g.complete("refused", upload, first, last)
	require.NoError(g, err)
	text, _ = g.get("refused")
	require.Equal(g, content("1")+"3", text)
}

// manyParts checks uploads with more parts than Google can join with one request, to keys that the
// engine of this library would refuse.
func (g *gateway) manyParts() {
	for _, key := range []string{"a//b", "folder/"} {
		const partCount = 40
		upload := g.begin(key)
		parts := make([]types.CompletedPart, partCount)
		errs := make([]error, len(parts))
		var wg sync.WaitGroup
		for i := range parts {
			wg.Go(func() {
				number := int32(i + 1)
				parts[i], errs[i] = g.tryPart(g.Client, key, *upload, number, letterContent(i))
			})
		}
		wg.Wait()
		require.NoError(g, errors.Join(errs...))

		_, err := g.complete(key, upload, parts...)
		require.NoError(g, err)
		text, _ := g.get(key)
		for i := range parts {
			want := letterContent(i)
			start := i * len(want)
			require.Equal(g, want, text[start:start+len(want)])
		}
	}
}

// letterContent returns 1 KiB of a character that differs for each i.
func letterContent(i int) string { return content(string(rune('A' + i))) }

// completionsOfTwoServers checks that two servers, which share no lock, make only one object when
// they complete the same upload at the same time.
func (g *gateway) completionsOfTwoServers() {
	for range 5 {
		upload := g.begin("two servers")
		first := g.part("two servers", upload, 1, content("1"))
		second := g.part("two servers", upload, 2, "2")
		input := g.completion("two servers", upload, first, second)
		var results [2]error
		var wg sync.WaitGroup
		for i, server := range []*s3.Client{g.Client, g.other} {
			wg.Go(func() {
				_, results[i] = server.CompleteMultipartUpload(g.Context(), input)
			})
		}
		wg.Wait()

		require.NoError(g, errors.Join(results[:]...))
		text, _ := g.get("two servers")
		require.Equal(g, content("1")+"2", text)
		_, err := g.other.CompleteMultipartUpload(g.Context(), input)
		require.NoError(g, err, "a further completion must succeed")
		g.requireGone("two servers", upload)
	}
}

// partBesideCompletion replaces a part through one server while another completes the upload. The
// object must then have the old part, or not exist.
func (g *gateway) partBesideCompletion() {
	for range 5 {
		upload := g.begin("replaced")
		first := g.part("replaced", upload, 1, content("1"))
		second := g.part("replaced", upload, 2, "2")
		var completed error
		var wg sync.WaitGroup
		wg.Go(func() {
			_, completed = g.complete("replaced", upload, first, second)
		})
		wg.Go(func() {
			// The part is refused if the upload is completed first.
			_, _ = g.tryPart(g.other, "replaced", *upload, 1, content("new"))
		})
		wg.Wait()

		if completed == nil {
			text, _ := g.get("replaced")
			require.Equal(g, content("1")+"2", text)
			continue
		}

		// The completion failed, so the upload still exists.
		g.requireError(completed, http.StatusBadRequest, "InvalidPart")
		require.NoError(g, g.abort("replaced", upload))
	}
}

// lostUploads checks uploads whose parts another program has removed from the store.
func (g *gateway) lostUploads() {
	provider, err := g.service.Driver(*g.bucket)
	require.NoError(g, err)
	if g.lacks.ListedUploads || provider.Describe().Features&storage.ListedUploads == 0 {
		return
	}

	upload, _ := g.loseUpload(provider)
	_, err = g.tryPart(g.Client, "lost", *upload, 2, "x")
	g.requireError(err, http.StatusNotFound, "NoSuchUpload")
	require.NotContains(g, g.keys(), "lost")

	upload, part := g.loseUpload(provider)
	_, err = g.complete("lost", upload, part)
	g.requireError(err, http.StatusNotFound, "NoSuchUpload")
	g.requireGone("lost", upload)
}

// loseUpload begins an upload with one part, and then aborts it without the gateway.
func (g *gateway) loseUpload(provider driver.Driver) (upload *string, part types.CompletedPart) {
	g.Helper()
	upload = g.begin("lost")
	part = g.part("lost", upload, 1, "x")

	page, err := provider.ListUploads(g.Context(), &driver.ListUploadsRequest{Prefix: "lost", Limit: 10})
	require.NoError(g, err)
	require.Len(g, page.Uploads, 1)
	require.NoError(g, provider.AbortParts(g.Context(), page.Uploads[0].Key, page.Uploads[0].Upload))
	return upload, part
}

// uploadsOfOneKey checks that several uploads to one key, and another write to it, do not disturb
// each other.
func (g *gateway) uploadsOfOneKey() {
	upload := g.begin("shared")
	otherUpload := g.begin("shared")
	part := g.part("shared", upload, 1, "one")
	otherPart := g.part("shared", otherUpload, 1, "two")
	g.put("shared", "between")

	// The last completion determines the content.
	_, err := g.complete("shared", otherUpload, otherPart)
	require.NoError(g, err)
	_, err = g.complete("shared", upload, part)
	require.NoError(g, err)
	text, _ := g.get("shared")
	require.Equal(g, "one", text)
}

// completionsAtOnce checks that several completions of one upload at the same time all succeed.
func (g *gateway) completionsAtOnce() {
	upload := g.begin("at once")
	first := g.part("at once", upload, 1, content("1"))
	second := g.part("at once", upload, 2, "2")
	const completions = 4
	results := make([]error, completions)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			_, results[i] = g.complete("at once", upload, first, second)
		})
	}
	wg.Wait()
	require.NoError(g, errors.Join(results...))
	text, _ := g.get("at once")
	require.Equal(g, content("1")+"2", text)
}

// abortedUploads checks that every request for an aborted upload fails with NoSuchUpload.
func (g *gateway) abortedUploads() {
	upload := g.begin("aborted")
	part := g.part("aborted", upload, 1, "x")
	require.NoError(g, g.abort("aborted", upload))

	g.requireError(g.abort("aborted", upload), http.StatusNotFound, "NoSuchUpload")
	_, err := g.tryPart(g.Client, "aborted", *upload, 1, "x")
	g.requireError(err, http.StatusNotFound, "NoSuchUpload")
	_, err = g.complete("aborted", upload, part)
	g.requireError(err, http.StatusNotFound, "NoSuchUpload")
	g.requireGone("aborted", upload)
}

// abortBesideCompletion checks that exactly one of a completion and an abort of the same upload
// succeeds, and that the object is then complete or does not exist.
func (g *gateway) abortBesideCompletion() {
	for range 5 {
		upload := g.begin("contended")
		first := g.part("contended", upload, 1, content("1"))
		second := g.part("contended", upload, 2, "2")
		var completed, aborted error
		var wg sync.WaitGroup
		wg.Go(func() {
			_, completed = g.complete("contended", upload, first, second)
		})
		wg.Go(func() {
			aborted = g.abort("contended", upload)
		})
		wg.Wait()

		// Exactly one of them succeeds.
		require.NotEqual(g, completed == nil, aborted == nil, "completed: %v, aborted: %v", completed, aborted)
		var failure smithy.APIError
		require.ErrorAs(g, errors.Join(completed, aborted), &failure)
		require.Equal(g, "NoSuchUpload", failure.ErrorCode())
		g.requireGone("contended", upload)
		if completed == nil {
			text, _ := g.get("contended")
			require.Equal(g, content("1")+"2", text)
		}
		_, err := g.DeleteObject(g.Context(), &s3.DeleteObjectInput{Bucket: g.bucket, Key: aws.String("contended")})
		require.NoError(g, err)
	}
}
