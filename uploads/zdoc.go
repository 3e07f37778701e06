// Package resumable receives large files from browsers and other clients without
// credentials. An upload that was interrupted continues where it stopped, after a reload
// of the page too. [NewHandler] speaks two protocols that browsers already use, on every
// bucket with [storage.OpenUploads]:
//
//   - The S3 multipart routes of Uppy's companion (plugin AwsS3). The handler signs
//     requests, and the client sends the parts straight to the store.
//   - tus 1.0 (tus-js-client, Uppy's plugin Tus, and clients for most languages). All
//     bytes pass through the handler, in bounded memory.
//
// The application decides in two functions who uploads what, and gets to know of each
// file:
//
//	handler, err := resumable.NewHandler(bucket, resumable.Config{
//		Authorize: func(r *http.Request) (string, error) { return userOf(r) },
//		Begin: func(r *http.Request, user string, n resumable.UploadRequest) (*resumable.Target, error) {
//			return &resumable.Target{Key: "videos/" + user + "/" + rand.Text(), ContentType: "video/mp4"}, nil
//		},
//		MaxSize: 10 << 30,
//	})
//	mux.Handle("/uploads/", http.StripPrefix("/uploads", handler))
//
// # Routes
//
// Paths are relative to the path at which the handler is mounted. For Uppy's AwsS3, that
// path is the option endpoint; for tus, the endpoint is that path and "/tus/".
//
//	POST   /s3/multipart                           {"filename", "type", "metadata", "size", "checksum"} → {"key", "uploadId", "partSize", …}
//	GET    /s3/multipart/{id}?key=                 → [{"PartNumber", "Size", "ETag", "ChecksumCRC32C"}]
//	GET    /s3/multipart/{id}/{part}?key=          → {"url", "method", "headers", "expires"}; also size= and crc32c=
//	GET    /s3/multipart/{id}/batch?partNumbers=   → {"presignedUrls": {"1": url}, "headers": {"1": {…}}}
//	POST   /s3/multipart/{id}/complete?key=        {"parts": [{"PartNumber", "ETag"}]} → {"location", "key", "size"}
//	DELETE /s3/multipart/{id}?key=                 → {}
//	GET    /s3/params?filename=&type=              → {"method", "url", "fields", "headers", "expires"}, for a file in one request
//	POST   /tus/                                   creates an upload, or joins pieces (Upload-Concat: final)
//	HEAD   /tus/{id}                               → Upload-Offset
//	PATCH  /tus/{id}                               bytes from Upload-Offset on
//	DELETE /tus/{id}                               ends an unfinished upload
//
// Uppy does not send "size" and "checksum". A client that sends "size" gets a part size
// that fits, and is held to the size of the file. If it sends "checksum": "crc32c" and the
// response has it too, each request for a part's address must have crc32c= (four bytes in
// base64), and the bytes are verified; Azure does not. With size=, the store refuses a part
// of another size, if it has [storage.SignedSize], and so does the handler. The parameter key
// may be left out. Completing again with the same parts gets the same response, as on S3.
// If a part is sent again after the client named its ETag, the completion fails with parts_changed,
// and the upload stays open: list the parts, and complete again. The stores themselves verify the
// ETag when they join the parts. A part that is named by "" as its ETag may be any. The address of a
// part with crc32c= stores no other bytes.
//
// The file of /s3/params passes through the handler, because nothing else could bound its
// size. It is the body of a PUT, or the field "file" of a form that is sent by POST, as by
// version 6 of Uppy. Set Uppy's shouldUseMultipart to true to send every file in parts.
//
// The extensions of tus are creation, creation-with-upload, creation-defer-length,
// expiration, termination, checksum and concatenation. A completed file is not removed by
// DELETE: it is the application's. If a call that completed an upload failed or was killed, its
// object may be there: then DELETE completes the upload, calls Config.OnComplete, and is refused
// as for any completed file. The object of a file of at most one part is recognized by its size and
// CRC32C. If the store has no CRC32C of it, DELETE ends the upload, and the object stays.
//
// # State
//
// Each upload has a small object under Config.Prefix, which is only replaced if it has not
// changed since it was read. So any number of processes may serve one upload, and an offset
// that was acknowledged survives a kill of the server. The client gets an ID that cannot
// be guessed; names of objects have only its hash. The bucket must not be public below the
// prefix.
//
// [Handler.Sweep] removes what expired uploads left. Give the bucket a lifecycle rule for
// incomplete uploads, too: a kill between two requests to the store may leave one that no
// state names.
//
// # Two requests at once
//
// One request at a time sends the bytes of a tus upload. A newer PATCH or HEAD ends an older
// PATCH, as in tusd, because the older one is usually that of a dead connection. The bytes
// that it received are stored first, and its client gets 423. tus clients then ask for the
// offset and continue, so two tabs with the same upload take turns.
//
// # Stopping a server
//
// If the context of a request ends, as with the BaseContext of the server, the bytes so far are
// stored, and the client gets 503. Cancel that context before [http.Server.Shutdown], which
// otherwise waits until all clients have sent their files:
//
//	server := &http.Server{Handler: mux, BaseContext: func(net.Listener) context.Context { return ctx }}
//	…
//	cancel()
//	err := server.Shutdown(context.Background())
//
// # Memory
//
// A tus upload holds at most one part at a time, which is 8 MiB for files of up to 78 GiB. It
// takes memory as bytes arrive, and gives it back if the client sends nothing for 2 seconds.
// All uploads together are within Config.MemoryLimit, with 32 KiB for each request that sends
// bytes. One user gets at most half of those requests, and leaves as many for others as it has.
// If the memory is used up, what has arrived is stored as a segment, which costs a
// request more.
// Parts that go straight to the store take no memory. A client that sends less than 16 KiB in
// a minute is disconnected; what it sent counts.
//
// # Errors
//
// Every error is problem details (RFC 9457) with code and field. Unknown, expired and
// aborted uploads and those of other users look the same.
//
//	Code              means                                              HTTP
//	invalid_value     a header, parameter or field is malformed          400
//	invalid_request   the request is malformed                           400
//	unauthenticated   Authorize does not know the user                   401
//	not_allowed       Authorize or Begin refused                         403
//	not_found         there is no such upload for this user              404
//	offset_mismatch   Upload-Offset is not where the upload continues    409
//	completed         the upload is complete; it has key and location    409
//	exists            there is an object under the key                   412
//	unknown_version   of the tus protocol                                412
//	too_large         the file or part is larger than allowed            413
//	unsupported_type  the Content-Type is not that of the protocol       415
//	parts_missing     parts or pieces have not arrived                   422
//	parts_changed     a part has another ETag than the client says       422
//	part_too_small    all but the last have a minimum                    422
//	wrong_size        the parts are larger than announced: aborted       422
//	refused           for Config.Inspect                                 422
//	locked            another request completes or continues the upload  423
//	checksum_mismatch Upload-Checksum is another one; nothing counts     460
//	interrupted       the client stopped in the middle                   400
//	internal          a function of the application failed               500
//	store_failed      the bucket failed                                  503
//	busy              Config.MemoryLimit is used up, or the server stops 503
//
// Functions of [Config] may return an [*Error] with a code and status of their own.
package uploads
