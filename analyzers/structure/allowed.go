package structure

// The reasons for exceptions.
const (
	public = "a Server is a Handler that listens: its methods are those of the handler"
	suite  = "the cases of the suite call one T"
)

// allowed has the types that Analyzer does not report, with the reason.
var allowed = map[string]string{
	module + "/s3server.Server": public,

	module + "/storagetest.T": suite,
	module + "/storagetest.S": suite,
}
