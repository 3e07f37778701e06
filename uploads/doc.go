// Package uploads takes files from people and stores them safely: what a file is
// is decided by its content, never by its name or by what the sender claims; its
// size is bounded while it streams; its key is drawn from a pattern and never
// overwrites another. It works on every bucket.
//
//	service, err := uploads.New(bucket, uploads.Config{
//		Key:     "users/{user}/avatars/{yyyy}/{mm}/{random}{ext}",
//		MaxSize: 5 << 20,
//		Link:    uploads.SignedLink,
//	})
//	result, err := service.Store(ctx, uploads.Upload{
//		Body:   file,
//		Name:   "me.png",
//		Values: uploads.Values{"user": "42"},
//	})
//
// There are three ways in: Store takes any reader, StorePart a part of a
// multipart form, and Sign with Finish let a browser send the file straight to
// the store, to be looked at when it has arrived. Handler offers all of them over
// HTTP.
//
// # Refused files
//
// By default a file must be a JPEG, PNG, GIF, WebP or AVIF. Its header must be sound,
// its pixels within bounds, and its first bytes without markup. SVG can be allowed: one
// with a script, an event handler, a link or an external reference is refused, as is one
// that is not valid XML. For any other type that is allowed (PDF, office documents,
// audio), only detection and the search for markup decide. The types that browsers run
// as a page (HTML, XML, JavaScript) cannot be allowed.
//
// The package inspects only the beginning of a file, and changes nothing in it. The
// place where a photo was taken stays in it, and so does anything hidden after its end.
//
// # Serving the files
//
// A picture can be a JavaScript program too, so the headers that a file is served with
// must keep browsers from running it. The package stores the content type that it
// detected, and a Content-Disposition of attachment unless the file is a JPEG, PNG, GIF,
// WebP or AVIF. Serve files with X-Content-Type-Options: nosniff and
// Content-Security-Policy: sandbox, as
// [github.com/omnibucket/storage/serve.NewHandler] does, or from a host of their own.
//
// # Errors
//
// Every error is an *Error: Field and Message are for the form, Code for the
// program, and beneath is a storage.Code or *storage.Error, so that errors.Is
// works with either.
//
//	Code              means                                          HTTP  storage.Code
//	NoFile            the form has no file                           400   InvalidArgument
//	TooManyFiles      the form has more than it may                  413   TooLarge
//	Empty             the file has no bytes                          422   InvalidArgument
//	TooSmall          it is smaller than MinSize                     422   InvalidArgument
//	TooLarge          it is larger than MaxSize, or its picture is   413   TooLarge
//	                  behind more than can be looked through
//	WrongSize         it is not as long as was claimed               422   InvalidArgument
//	TypeNotAllowed    its content is of another type                 415   InvalidArgument
//	Damaged           its header contradicts itself or is cut short  422   InvalidArgument
//	ActiveContent     it holds markup or a script                    422   InvalidArgument
//	TooManyPixels     it unpacks to more than MaxPixels              422   TooLarge
//	InvalidValue      a value of the key's pattern is missing,       400   InvalidArgument
//	                  unknown or unsafe
//	InvalidRequest    the request is not understood                  400   InvalidArgument
//	InvalidTicket     the token is another's, or not from here       403   PermissionDenied
//	TicketExpired     the token is too old, or its file was removed  410   InvalidArgument
//	                  again
//	NotUploaded       Finish, and no file has arrived                409   ObjectNotFound
//	NotYours          the key is not one of these values'            403   PermissionDenied
//	NotAllowed        Authorize said no, or deleting is not offered  403   PermissionDenied
//	Unauthenticated   Authorize does not know who it is              401   Unauthenticated
//	Interrupted       the sender stopped in the middle               400   BodyFailed, Canceled
//	StoreFailed       the store failed; Err tells how                503   the store's
//	Internal          the application's own Authorize failed         500   Internal
//
// # Who may delete
//
// Service.Delete and the handler's DELETE know whose a file is by the values in
// its key. A pattern without any, as DefaultKey, says that of nobody: the handler
// deletes nothing there (HandlerConfig.DeleteShared), and who calls Delete has to
// have looked up the owner of the key.
//
// # What is left behind
//
// A signed upload that nobody finishes lies under Config.PendingPrefix and
// nowhere else; so does, of each that was finished, an empty object, which keeps
// its address from working again. It can be finished until a day after
// Config.UploadTTL; what is older may be cleared, by a lifecycle rule of the
// bucket or transfer.Expire:
//
//	storage.LifecycleRule{Prefix: uploads.DefaultPendingPrefix, ExpireAfterDays: 2}
//
// An upload whose answer was lost (storage.OutcomeUnknown) may have left an
// object under a key that nobody has.
package uploads
