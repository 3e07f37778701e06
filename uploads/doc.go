// Package uploads receives files from users, of any size and from any client. It checks the content
// of a file before the file exists. The file's name and the type that the sender claims decide
// nothing. A pattern makes the key, which is random and never overwrites another object. The
// package works with every bucket.
//
//	service, err := uploads.New(bucket, uploads.Config{
//		Rules: rules.Images(5 << 20),
//		Key:   "users/{user}/avatars/{yyyy}/{mm}/{random}{ext}",
//		Authorize: func(r *http.Request) (uploads.User, error) {
//			return uploads.User{ID: userOf(r)}, nil
//		},
//		Stored: func(ctx context.Context, f *uploads.File) error { return remember(ctx, f.User.ID, f.Key) },
//	})
//	mux.Handle("/uploads/", http.StripPrefix("/uploads", service))
//
// # Ways in
//
// A file can be sent in any of these ways. The same rules hold for all of them.
//
//   - [Service.Store] reads a file from any reader, such as a part of a form that the application
//     parses itself. It needs no Authorize.
//   - An HTML form is for files that fit into one request. All bytes pass through the service.
//   - The S3 multipart routes are those of Uppy's companion (plugin AwsS3). The upload.js of this
//     package ([Script]) uses them too. The service signs requests, and the client sends the parts
//     directly to the store. An interrupted upload can be resumed.
//   - tus 1.0 has clients for most languages, such as tus-js-client and Uppy's plugin Tus. All
//     bytes pass through the service, in bounded memory. An interrupted upload can be resumed.
//   - The IETF's draft of resumable uploads (draft-ietf-httpbis-resumable-upload) works at the
//     endpoint of tus. URLSession of iOS 17 and later uses it.
//   - Pieces ([Service.PutPiece]) have any size and arrive in any order. They are for protocols of
//     your own. Several processes may receive pieces of one file.
//   - Tickets ([Service.Sign] and [Service.Finish]) are for clients of your own that send a file
//     directly to the store in one request. They keep no state on the server.
//
// With Config.Records ([BucketRecords], or package sqlrecords), each file has a record, however it
// was sent. With Config.Lifetime, a file expires unless a transaction of sqlrecords.In keeps it.
// The same transaction can write the application's own rows. A crash leaves at worst some bytes
// without a record, which Sweep removes. Package filesapi serves such files over HTTP.
//
// # Routes
//
// Paths are relative to the path at which the service is mounted. The option endpoint of Uppy's
// AwsS3 is that path. The endpoint of tus is that path followed by "/tus/".
//
//	POST   /                 multipart/form-data with files: 201 {"files": [File, …]}
//	POST   /tickets          {"name", "type", "size"}: 201 Ticket, for a file that goes straight to the store
//	POST   /tickets/finish   {"token"}: 200 File
//	DELETE /{key}            204; see Config.DeleteShared
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
// A request of the IETF's draft has the header Upload-Complete and no Tus-Resumable. It uses the
// routes of tus. The media type of PATCH is application/partial-upload, and the response to a
// completion has the JSON of the S3 routes. The service supports the drafts -01 to -12, which are
// the interop versions 3 to 9. A request without a version gets no interim response. The name of
// the file comes from Content-Disposition, and its type from Content-Type.
//
// Either all files of a form are stored or none. If one file is refused, the files before it are
// removed, and the files after it are ignored. The S3 routes and tus need a bucket with
// [storage.OpenUploads].
//
// A page of another site can submit a form to the service, and the browser adds the user's cookies.
// If Authorize uses cookies, wrap the service in [http.CrossOriginProtection], or check a token of
// your own in Authorize.
//
// After it refuses a request, the service reads up to 4 MiB of the remaining body, so that the
// browser sees the response. If the body is longer, the service closes the connection.
//
// # When a file is checked
//
// A file that comes by a form or by [Service.Store] is checked while it streams. All other files
// wait under Config.Prefix until all of their bytes have arrived. Then they are checked, and copied
// to their key. Until then the key is not known, and the S3 routes return the upload's ID in its
// place. With [rules.Any], there is nothing to check, so the bytes are stored under the file's key
// immediately.
//
// # Refused files
//
// Package rules decides from the beginning of a file whether it is accepted. By default, only
// pictures are. The file is never changed: a photo keeps the place where it was taken, and any
// bytes after the end of the picture.
//
// # Serving the files
//
// A picture can also be a valid JavaScript program, so the headers with which a file is served must
// keep browsers from running it. This package stores the content type that it detected, and a
// Content-Disposition of attachment unless the file is a JPEG, PNG, GIF, WebP or AVIF. Serve files
// with X-Content-Type-Options: nosniff and Content-Security-Policy: sandbox, as
// [github.com/omnibucket/storage/serve.NewHandler] does, or serve them from a separate host.
//
// # Parts
//
// Uppy does not send "size" and "checksum". If a client sends "size", the response has a part size
// that fits, and the file must have exactly that size. If it sends "checksum": "crc32c" and the
// response has it too, each request for a part's URL must have crc32c= (four bytes in base64). The
// signed URL then stores no other bytes. Azure does not support this. With size=, a part of another
// size is refused, by the handler and by stores with [storage.SignedSize]. The parameter key may be
// left out. If the client completes an upload twice with the same parts, it gets the same response
// twice, as on S3. If a part was replaced after the client listed its ETag, the completion fails
// with parts_changed. The upload stays open: list the parts, and complete it again. The stores
// verify the ETags when they join the parts. If the ETag of a part is "", any version of the part
// is accepted.
//
// A file that is sent after /s3/params passes through the handler, because only the handler can
// limit its size. It is the body of a PUT, or the field "file" of a form in a POST, as Uppy 6 sends
// it. If the response is lost, the client may send the file again. To let Uppy send every file in
// parts, set its option shouldUseMultipart.
//
// The extensions of tus are creation, creation-with-upload, creation-defer-length, expiration,
// termination, checksum and concatenation. DELETE does not remove a completed file, because the
// file belongs to the application. If the request that completed an upload failed or was killed,
// the object may exist already. Then DELETE completes the upload, calls Config.Stored, and is
// refused in the same way as for a completed file. If the file has at most one part, its object is
// recognized by its size and CRC32C. If the store has no CRC32C for the object, DELETE ends the
// upload, and the object stays.
//
// # State of uploads
//
// The state of an upload is a small object under Config.Prefix, or a text in [Config.States]. It is
// replaced only if it has not changed since it was read. So any number of processes may serve one
// upload, and an acknowledged offset is still valid after the server was killed. The client
// receives an ID that cannot be guessed. The names of objects contain only its hash. The bucket
// must not be public below the prefix. If Config changes such that the bytes of an open upload
// would be stored elsewhere (for example, if Inspect is set), or such that its key would lack a
// value, the upload fails with NotFound. The client then starts again.
//
// # Errors
//
// Every error is an [*Error]: Field and Message are for the form, and Code is for the program. It
// wraps a [storage.Code] or a *storage.Error, so that errors.Is works with storage codes. Over
// HTTP, an error is a problem details document (RFC 9457) with code, field, file and requestId. If
// waiting helps, the response has Retry-After. The ID is the request's X-Request-Id, or a new one.
// Each response has it, and so has the request that the functions of [Config] receive. The same
// error is returned for an upload that never existed, has expired, was aborted, or belongs to
// another user.
//
//	Code             means                                          HTTP  storage.Code
//	NoFile           the form has no file                           400   InvalidArgument
//	TooManyFiles     the form has too many files                    413   TooLarge
//	Empty            the file has no bytes                          422   InvalidArgument
//	TooSmall         it is smaller than its rules allow             422   InvalidArgument
//	TooLarge         it is larger than allowed, or too much         413   TooLarge
//	                 precedes its picture
//	OverAllowance    the user has no room for it (Config.Allowance)  413   TooLarge
//	WrongSize        its length, or that of a part, is not the      422   InvalidArgument
//	                 announced one, or too small for a part
//	TypeNotAllowed   its content is of another type                 415   InvalidArgument
//	Damaged          its header contradicts itself or is cut short  422   InvalidArgument
//	ActiveContent    it holds markup or a script                    422   InvalidArgument
//	TooManyPixels    it has too many pixels when decoded            422   TooLarge
//	Refused          for Config.Inspect                             422   InvalidArgument
//	InvalidValue     a header, parameter, or value of the key's     400   InvalidArgument
//	                 pattern is missing, unknown or unsafe
//	InvalidRequest   the request is malformed, has another          400   InvalidArgument
//	                 Content-Type than the protocol's (415), or
//	                 an unknown version of tus (412)
//	Unauthenticated  Authorize does not know the user               401   Unauthenticated
//	NotAllowed       Authorize or Begin refused, it is not          403   PermissionDenied
//	                 offered, or the key is another user's
//	NotFound         there is no such upload for this user, it is   404   ObjectNotFound
//	                 too old, or its file has been removed
//	NotUploaded      the file, parts or pieces have not arrived     422   ObjectNotFound
//	PartsChanged     a part has another ETag than the client says   422   PreconditionFailed
//	OffsetMismatch   Upload-Offset is not where it continues        409   PreconditionFailed
//	ChecksumMismatch Upload-Checksum is another; nothing counts     460   ChecksumMismatch
//	Completed        the upload is complete                         409   PreconditionFailed
//	Exists           there is an object under the key               412   PreconditionFailed
//	Locked           another request completes or continues it      423   Locked
//	Interrupted      the sender stopped in the middle, or           400   BodyFailed, Canceled
//	                 the server stops (503)
//	StoreFailed      the store failed; see Err                      503   the store's
//	Busy             Config.MemoryLimit is used up, or a function   503   Unavailable
//	                 of the application cannot answer just now
//	Internal         a function of the application failed           500   Internal
//
// Functions of [Config] may return an [*Error] with a code and status of their own.
//
// # Leftovers
//
// Run [Service.Sweep] on a schedule. It does not remove two kinds of leftovers. For each finished
// ticket, an empty object under Config.Prefix keeps its signed URL from working again. A request
// that was killed before it wrote the state of an upload may leave parts in the store. Remove both
// with a lifecycle rule whose age exceeds Config.TTL, or with transfer.Expire. docs/jobs.md has the
// rule for each store:
//
//	storage.LifecycleRule{Prefix: uploads.DefaultPrefix, ExpireAfterDays: 8, AbortUploadsAfterDays: 8}
//
// An upload whose response was lost ([storage.OutcomeUnknown]) may leave an object under a key that
// nobody knows.
package uploads
