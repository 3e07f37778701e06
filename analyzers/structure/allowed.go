package structure

// These texts are reasons in the map allowed. They say why a type may break the rules.
const (
	public = "a Server is a Handler that listens: its methods are those of the handler"
	suite  = "an S is a T with a Service: the cases call both"
	tool   = "npmTool makes the tools of npm; a change of testservers makes every test with a server run again"
)

// allowed has the types that Analyzer does not report, with the reason.
var allowed = map[string]string{
	module + "/s3server.Server": public,

	module + "/storagetest.S": suite,

	module + "/tools/testservers.npmModule":  tool,
	module + "/tools/testservers.npmScripts": tool,
}
