package mailtemplate

import (
	"regexp"
	"text/template/parse"
)

// conditionalComment finds the ends of Outlook's conditional comments:
//
//	<!--[if mso]> … <![endif]-->
//	<!--[if !mso]><!--> … <!--<![endif]-->
//	<![if !mso]> … <![endif]>
var conditionalComment = regexp.MustCompile(`(?i)<!(?:--)?\[if\s[^\]>]*\]>(?:<!--\s*>|<!--\s*-->|-->)?|(?:<!--\s*)?<!\[endif\](?:--)?>`)

// keepConditionalComments has them printed as they are. html/template removes
// comments; to mail they matter, and what is between their ends is markup in
// which data must be escaped.
func keepConditionalComments(tree *parse.Tree) {
	keepIn(tree.Root)
	walk(tree.Root, func(n parse.Node) {
		if b := branch(n); b != nil {
			keepIn(b.List)
			keepIn(b.ElseList)
		}
	})
}

func keepIn(list *parse.ListNode) {
	if list == nil {
		return
	}
	var nodes []parse.Node
	for _, n := range list.Nodes {
		if text, ok := n.(*parse.TextNode); ok {
			nodes = append(nodes, splitComments(text)...)
		} else {
			nodes = append(nodes, n)
		}
	}
	list.Nodes = nodes
}

func splitComments(text *parse.TextNode) (nodes []parse.Node) {
	piece := func(s []byte) parse.Node {
		return &parse.TextNode{NodeType: parse.NodeText, Pos: text.Pos, Text: s}
	}
	done := 0
	for _, at := range conditionalComment.FindAllIndex(text.Text, -1) {
		comment := quoted(text.Pos, string(text.Text[at[0]:at[1]]))
		print := &parse.PipeNode{NodeType: parse.NodePipe, Pos: text.Pos, Cmds: []*parse.CommandNode{call(text.Pos, funcVerbatim, comment)}}
		nodes = append(nodes, piece(text.Text[done:at[0]]), &parse.ActionNode{NodeType: parse.NodeAction, Pos: text.Pos, Pipe: print})
		done = at[1]
	}
	return append(nodes, piece(text.Text[done:]))
}
