// Package uploads accepts files from people and stores them safely. Detection by
// content decides the type of a file, never its name or what the sender claims. The
// size is limited while the file streams. The key is drawn from a pattern and never
// overwrites another object. The package works with every bucket.
//
//	service, err := uploads.New(bucket, uploads.Config{
//		Rules: rules.Images(5 << 20),
//		Key:   "users/{user}/avatars/{yyyy}/{mm}/{random}{ext}",
//		Link:  uploads.SignedLink,
//	})
//	result, err := service.Store(ctx, uploads.Upload{
//		Body:   file,
//		Name:   "me.png",
//		Values: uploads.Values{"user": "42"},
//	})
//
// A file arrives in one of three ways. [Service.Store] takes any reader.
// [Service.StorePart] takes a part of a multipart form. [Service.Sign] and
// [Service.Finish] let a browser send the file straight to the store, and inspect it
// afterwards. [Service.Handler] offers all three over HTTP.
//
// # Large files
//
// A signed upload of Config.PartsFrom bytes or more is in parts, so a file may be larger
// than one request, and a client that was interrupted sends only what is missing. Sign
// begins the store's upload, and the ticket has the size and number of parts. The client
// gets a request for each part from [Service.SignPart], in any order and again, and asks
// [Service.StoredParts] what has arrived. [Service.Finish] joins the parts under
// Config.PendingPrefix, inspects the whole there as any other file, and copies it to its
// key. If the file is refused, nothing of it is left. [Service.Abort] gives up.
//
// The ticket is the only state. It has the store's token of the upload, encrypted with a
// key that is derived from Config.TokenKey, because that token must stay on the server.
//
// The store needs [storage.SignedParts]. On S3, the credentials must be allowed to list
// the parts of an upload and to abort it. A page needs a CORS rule for PUT. The requests
// bind no checksum of the part; package resumable offers that, and serves Uppy and tus.
//
// # Refused files
//
// Package rules decides. By default a file must be a JPEG, PNG, GIF, WebP or AVIF that is
// sound and without markup. Config.Rules may allow SVG without scripts and references, and
// any other type that is detected by content, but none that browsers run as a page.
//
// The package inspects only the beginning of a file, and changes nothing in it. The
// place where a photo was taken stays in it, and so does anything hidden after its
// end.
//
// # Serving the files
//
// A picture can be a JavaScript program too, so the headers that a file is served
// with must keep browsers from running it. The package stores the content type that
// it detected, and a Content-Disposition of attachment unless the file is a JPEG,
// PNG, GIF, WebP or AVIF. Serve files with X-Content-Type-Options: nosniff and
// Content-Security-Policy: sandbox, as
// [github.com/omnibucket/storage/serve.NewHandler] does, or from a host of their own.
//
// # Errors
//
// Every error is an [*Error]: Field and Message are for the form, and Code is for the
// program. It wraps a [storage.Code] or a *storage.Error, so that errors.Is works
// with either.
//
//	Code              means                                          HTTP  storage.Code
//	NoFile            the form has no file                           400   InvalidArgument
//	TooManyFiles      the form has too many files                    413   TooLarge
//	Empty             the file has no bytes                          422   InvalidArgument
//	TooSmall          it is smaller than MinSize                     422   InvalidArgument
//	TooLarge          it is larger than MaxSize, or too much         413   TooLarge
//	                  precedes its picture
//	WrongSize         its length, or that of a part, is not the      422   InvalidArgument
//	                  claimed one
//	TypeNotAllowed    its content is of another type                 415   InvalidArgument
//	Damaged           its header contradicts itself or is cut short  422   InvalidArgument
//	ActiveContent     it holds markup or a script                    422   InvalidArgument
//	TooManyPixels     it has more than MaxPixels when decoded        422   TooLarge
//	InvalidValue      a value of the key's pattern is missing,       400   InvalidArgument
//	                  unknown or unsafe, or there is no part of
//	                  this number
//	InvalidRequest    the request is malformed                       400   InvalidArgument
//	InvalidTicket     the token is another user's, or not from here  403   PermissionDenied
//	TicketExpired     the token is too old, its file has been        410   InvalidArgument
//	                  removed, or its parts were refused or aborted
//	NotUploaded       Finish was called and no file has arrived,     409   ObjectNotFound
//	                  or parts are missing
//	Finished          Abort was called, and the file is complete     409   PreconditionFailed
//	NotYours          the key does not belong to these values        403   PermissionDenied
//	NotAllowed        Authorize refused, or deleting is not offered  403   PermissionDenied
//	Unauthenticated   Authorize does not know the user               401   Unauthenticated
//	Interrupted       the sender stopped in the middle               400   BodyFailed, Canceled
//	StoreFailed       the store failed; see Err                      503   the store's
//	Internal          the application's own Authorize failed         500   Internal
//
// # Deleting
//
// [Service.Delete] and the handler's DELETE know the owner of a file by the values in
// its key. A pattern without values, such as [DefaultKey], names no owner. The
// handler then deletes nothing (see HandlerConfig.DeleteShared), and a program that
// calls Delete must look up the owner first.
//
// # Leftovers
//
// A signed upload without Finish leaves an object under Config.PendingPrefix, and
// nowhere else. One with Finish leaves an empty object there, which keeps its address
// from working again. One in parts leaves an upload in progress under that prefix if it is
// neither finished nor aborted, and otherwise nothing. An upload can be finished until a
// day after Config.UploadTTL. Remove what is older with lifecycle rules of the bucket or
// with transfer.Expire; docs/cleanup.md has the rule for parts on each store:
//
//	storage.LifecycleRule{Prefix: uploads.DefaultPendingPrefix, ExpireAfterDays: 2, AbortUploadsAfterDays: 2}
//
// An upload whose response was lost ([storage.OutcomeUnknown]) may leave an object
// under a key that nobody knows.
package uploads
