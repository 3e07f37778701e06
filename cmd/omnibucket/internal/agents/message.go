package agents

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/omnibucket/storage/internal/words"
)

const (
	// shortMessage is the largest size of a message that is not a call of the tool write, in bytes.
	shortMessage = 64 << 10
	// maxParts is roughly the largest number of JSON values in a message. Real calls have fewer
	// than 20. The limit exists because a decoded value needs far more memory than its text.
	maxParts = 1000
	// maxError is the largest size of an error's text, in bytes. Errors of the SDK quote what the
	// client has sent.
	maxError = 1 << 10
)

var (
	errBatch     = errors.New("batches are not accepted: send one message at a time")
	errManyParts = errors.New("a message must have at most 1000 values")
	errLong      = errors.New("a message is too long for this server")
	errNoMessage = errors.New("it must be one message of JSON-RPC 2.0")
	errID        = errors.New("id must be a string or an integer")
)

// maxMessage returns the largest size of a message in bytes, with room for escapes in the content that a
// call writes.
func (s *server) maxMessage() int {
	if !s.rules.allows(toolWrite) {
		return shortMessage
	}
	return int(2*s.rules.maxWrite) + shortMessage
}

// parseMessage decodes the message in data. It returns nil without an error if data is only white space. Before it
// decodes a message, it refuses one that would need much memory.
func parseMessage(data []byte) (jsonrpc.Message, error) {
	text := bytes.TrimLeft(data, " \t\r\n")
	if len(text) == 0 {
		return nil, nil
	}
	isBatch := text[0] == '[' // an array of messages
	if isBatch {
		return nil, errBatch
	}
	if hasManyParts(data) {
		return nil, errManyParts
	}

	message, err := jsonrpc.DecodeMessage(data)
	if err != nil {
		return nil, errNoMessage
	}
	if hasFractionalID(data) {
		return nil, errID
	}
	if isLong(data, message) {
		return nil, errLong
	}
	return message, nil
}

// isLong reports whether a message is long for another reason than the content that a call writes.
func isLong(data []byte, message jsonrpc.Message) bool {
	return len(data) > shortMessage && len(data)-contentSize(message) > shortMessage
}

// hasFractionalID reports whether the id of a message is a number that is no integer. The SDK would cut
// its fraction, so that the response might have the id of another request.
func hasFractionalID(data []byte) bool {
	// Like the SDK, a map does not match names in another case.
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil || len(fields["id"]) == 0 {
		return false
	}

	id := string(fields["id"])
	isNumber := id[0] == '-' || ('0' <= id[0] && id[0] <= '9')
	if !isNumber {
		return false
	}
	n, err := strconv.ParseFloat(id, 64)
	return err != nil || n != math.Trunc(n) || math.Abs(n) > maxInteger
}

// hasManyParts reports whether data has more commas and brackets outside of strings than a message needs. To decode so
// many values would need much memory.
func hasManyParts(data []byte) bool {
	parts := 0
	inString := false
	for i := 0; i < len(data) && parts <= maxParts; i++ {
		c := data[i]
		switch {
		case c == '"':
			inString = !inString
		case inString && c == '\\':
			i++ // skip the escaped character
		case !inString && (c == ',' || c == '{' || c == '['):
			parts++
		}
	}
	return parts > maxParts
}

// contentSize returns the size of the arguments in a call of the tool write, and 0 for any other message.
func contentSize(message jsonrpc.Message) int {
	call, ok := message.(*jsonrpc.Request)
	if !ok || call.Method != methodCall {
		return 0
	}

	// Unlike a struct, a map does not match names in another case.
	var params map[string]json.RawMessage
	if json.Unmarshal(call.Params, &params) != nil || string(params["name"]) != `"`+toolWrite+`"` {
		return 0
	}
	return len(params["arguments"])
}

// methodCall is the method of the protocol that calls a tool.
const methodCall = "tools/call"

// shortenError returns a response whose error has a code and at most maxError bytes. An error without a code, such as
// those of the SDK before the request initialize, gets that of an invalid request. Any other message stays as it is.
func shortenError(message jsonrpc.Message) jsonrpc.Message {
	response, ok := message.(*jsonrpc.Response)
	if !ok || response.Error == nil {
		return message
	}

	rpcErr := jsonrpc.Error{Message: response.Error.Error()}
	var originalErr *jsonrpc.Error
	if errors.As(response.Error, &originalErr) {
		rpcErr.Code = originalErr.Code
		rpcErr.Data = originalErr.Data
	}

	hasCode := rpcErr.Code != 0
	isTooLong := len(rpcErr.Message)+len(rpcErr.Data) > maxError
	if hasCode && !isTooLong {
		return response
	}

	if !hasCode {
		rpcErr.Code = jsonrpc.CodeInvalidRequest
	}
	if isTooLong {
		rpcErr.Message = beginning(rpcErr.Message)
		rpcErr.Data = nil
	}
	return &jsonrpc.Response{ID: response.ID, Error: &rpcErr}
}

// beginning returns the text of an error, cut to maxError bytes.
func beginning(text string) string {
	if len(text) <= maxError {
		return text
	}
	const mark = "…"
	return words.Beginning(text, maxError-len(mark)) + mark
}

// A refusedCall is the error of a call that the server does not process. The client receives it as
// the response.
type refusedCall struct {
	id     jsonrpc.ID
	code   int64
	reason string
}

func (r *refusedCall) Error() string { return r.reason }

// responseTo returns the error response to a message that was refused with err. If the id of the message is not known,
// that of the response is null, as JSON-RPC requires.
func responseTo(err error) ([]byte, error) {
	var call *refusedCall
	if errors.As(err, &call) {
		return jsonrpc.EncodeMessage(&jsonrpc.Response{
			ID:    call.id,
			Error: &jsonrpc.Error{Code: call.code, Message: call.reason},
		})
	}

	// The SDK cannot encode a null id. Marshal cannot fail for a string.
	text, _ := json.Marshal(err.Error())
	const format = `{"jsonrpc":"2.0","id":null,"error":{"code":%d,"message":%s}}`
	return fmt.Appendf(nil, format, jsonrpc.CodeInvalidRequest, text), nil
}
