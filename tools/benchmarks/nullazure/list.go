package nullazure

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/omnibucket/storage/tools/benchmarks/nullserver"
)

const mostBlobs = 5000

// serveList sends a page of a generated listing. The prefix contains the number of listed blobs.
// serveList ignores delimiters.
func serveList(w http.ResponseWriter, query url.Values) {
	prefix := query.Get("prefix")
	blobs := nullserver.Size(prefix)
	maximum := nullserver.PageSize(query.Get("maxresults"), mostBlobs)
	start, end := nullserver.Page(blobs, query.Get("marker"), maximum)

	// The buffer has room for blobs of 1 KiB, so that it rarely grows.
	const blobBytes = 1024
	var page bytes.Buffer
	page.Grow(blobBytes * int(max(end-start, 0)+2))
	fmt.Fprintf(
		&page,
		`<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://127.0.0.1/%s" ContainerName="bucket">`+
			`<Prefix>%s</Prefix><MaxResults>%d</MaxResults><Blobs>`,
		Account,
		prefix,
		maximum,
	)
	for i := start; i < end; i++ {
		fmt.Fprintf(
			&page,
			`<Blob><Name>%s</Name><Properties><Creation-Time>%[2]s</Creation-Time><Last-Modified>%[2]s</Last-Modified>`+
				`<Etag>0x8DE49F1A3B5C7D9</Etag><Content-Length>%d</Content-Length><Content-Type>text/plain</Content-Type>`+
				`<Content-Encoding /><Content-Language /><Content-CRC64 /><Content-MD5>mzz1NfJ3MclzQ0NkWjmFMg==</Content-MD5>`+
				`<Cache-Control /><Content-Disposition /><BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>`+
				`<AccessTierInferred>true</AccessTierInferred><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>`+
				`<ServerEncrypted>true</ServerEncrypted></Properties><OrMetadata /></Blob>`,
			nullserver.Name(prefix, i),
			nullserver.Modified,
			1000+i,
		)
	}
	page.WriteString("</Blobs><NextMarker>")
	if end < blobs {
		page.WriteString(strconv.FormatInt(end, 10))
	}
	page.WriteString("</NextMarker></EnumerationResults>")
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(page.Len()))
	_, _ = w.Write(page.Bytes())
}
